"""A list of builds through the real script: one fails and the others go on; a signal ends all of them."""

import json
import os
import signal

import pytest

from tests.interruption.conftest import wait_for
from tests.interruption.test_kill_matrix import EXIT_CODES, SlowHub
from utils import ROOT

PAGE = (ROOT / "docs/release.md").read_text(encoding="utf-8")
COMMAND = next(line for line in PAGE.splitlines() if line.startswith("./make_triton_image.sh --config")).split()
HEAD = "defaults: {tokenizer: %s, id2label: '-', tag: v1}\nbuilds:\n"


@pytest.fixture
def builds(checkout, tmp_path):
    """`builds(name, model, ...)`: the command of docs/release.md for these models, as name-0, name-1, ..."""

    def command(name, *models, options=()):
        file = tmp_path / "builds.yaml"
        lines = [f"- {{model: '{model}', model_name: {name}-{number}}}\n" for number, model in enumerate(models)]
        file.write_text(HEAD % checkout.model + "".join(lines), encoding="utf-8")
        words = [str(file) if word == "models.yaml" else word for word in COMMAND[1:]]
        return [str(checkout.root / "make_triton_image.sh"), *words, "--no-image", "--no-verify", *options]

    return command


def test_a_list_with_a_failure(checkout, builds, tmp_path):
    bad = tmp_path / "bad"
    bad.mkdir()
    code, out, err = checkout.run(builds("list", checkout.model, bad, checkout.model))
    assert code == 3, err
    result = json.loads(out)
    assert result["failed"] == 1
    assert [each.get("exit_code", 0) for each in result["builds"]] == [0, 3, 0]
    for number in (0, 2):
        tree = checkout.build / f"list-{number}" / "v1"
        assert result["builds"][number]["model_repository"] == str(tree / "model_repository")
        assert (tree / "model_repository").is_dir()
    assert not (checkout.build / "list-1").exists()
    assert "[list-2:v1] render and assemble  " in err
    assert err.endswith("error: 1 of 3 builds failed: list-1:v1\n")
    assert checkout.work() == []


def test_a_dry_run_prints_the_plans(checkout, builds):
    command = [word for word in builds("planned", checkout.model, options=["--dry-run"]) if word != "--json"]
    code, out, err = checkout.run(command)
    assert (code, "\nimage: None" in out) == (0, True), err
    assert not (checkout.build / "planned-0").exists()


@pytest.mark.long("SIGTERM")
@pytest.mark.parametrize("number", list(EXIT_CODES), ids=lambda number: number.name)
def test_a_signal_ends_all_builds(checkout, builds, tmp_path, number):
    with SlowHub({f"user/{name}": checkout.model for name in "abc"}) as hub:
        hub.stage = "weights"
        command = builds("stopped", "hf:user/a", "hf:user/b", "hf:user/c", options=["--no-cache"])
        child = checkout.start(command, **hub.environment(tmp_path / "hub cache"))
        wait_for(lambda: repositories(hub) == {"a", "b"}, "two builds", 100)
        os.kill(child.pid, number)
        code, out, err = checkout.end(child, 60)
        assert (code, out) == (EXIT_CODES[number], ""), err
        wait_for(lambda: not checkout.living(), "end of its children", 20)
        assert repositories(hub) == {"a", "b"}
    assert "Traceback" not in err
    assert number == signal.SIGKILL or checkout.work() == []
    assert not (checkout.build / "stopped-0").exists()


def repositories(hub):
    """The repositories whose weights were requested."""
    paths = [path for method, path, _ in hub.requests if method == "GET" and path.endswith(".safetensors")]
    return {path.split("/")[2] for path in paths}

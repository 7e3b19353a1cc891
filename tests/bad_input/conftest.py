"""Runs bad builds, on copies of a sound model to damage."""

import os
import re
import resource
import shutil
import subprocess
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from tests import tiny_models
from tests.bad_input.damage import Damaged
from utils import ROOT
from utils import make_triton_image as main
from utils.convert.origins.graph_file import GraphFile
from utils.convert.origins.transformers_folder import TransformersFolder
from utils.host import build_tree, entry

FOREIGN = ("HF_", "HUGGING", "CLEARML_", "TRAINS_", "AWS_", "TRITON_FACTORY_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
EARLY_SECONDS = 2.0


@pytest.fixture(scope="session")
def sound_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models.bert(tmp_path_factory.mktemp("sound") / "model")


@pytest.fixture
def damaged(sound_model: Path, tmp_path: Path) -> Damaged:
    """A copy of a sound model and its tokenizer, and a folder of labels, for one case to damage."""
    shutil.copytree(sound_model, tmp_path / "model")
    return Damaged(model=tmp_path / "model", folder=tmp_path)


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    for name in list(os.environ):
        if name.upper().startswith(FOREIGN):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path_factory.mktemp("home")))


@pytest.fixture
def refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """`refused(argv, code, words)`: runs the build in this process, checks its refusal and returns the message.

    early: the conversion was not reached, and the build used at most EARLY_SECONDS of processor time.
    """
    build = tmp_path / "the build folder"
    monkeypatch.setattr(build_tree, "BUILD", build)

    def run(argv: Sequence[object], code: int, words: Sequence[str], *, early: bool = True) -> str:
        if early:
            for origin in (GraphFile, TransformersFolder):
                monkeypatch.setattr(origin, "convert", lambda *_: pytest.fail("the conversion was reached"))
        started = time.process_time()
        with pytest.raises(SystemExit) as end:
            entry.run(lambda: main.make_triton_image([*map(str, argv), "--no-image"]))
        seconds = time.process_time() - started
        out, err = capfd.readouterr()
        message = check_refusal(end.value.code, out, err, code, words)
        assert not early or seconds < EARLY_SECONDS
        assert left_below(build) == []
        return message

    return run


@pytest.fixture
def refused_by_the_script() -> Callable[..., str]:
    """The same through ./make_triton_image.sh; also checks that torch was not imported."""

    def run(
        argv: Sequence[object],
        code: int,
        words: Sequence[str],
        *,
        name: str | None = None,
        env: Mapping[str, str] | None = None,
    ) -> str:
        name = name or f"bad-{uuid.uuid4().hex[:12]}"
        command = [ROOT / "make_triton_image.sh", *(name if each is NAME else each for each in argv)]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        environment = {**os.environ, **(env or {}), "PYTHONPROFILEIMPORTTIME": "1"}
        done = subprocess.run(
            [*map(str, command)], capture_output=True, text=True, timeout=120, env=environment, check=False
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        lines = done.stderr.splitlines(keepends=True)
        imported = [line.rpartition("|")[2].strip() for line in lines if line.startswith("import time:")]
        expected = "".join(line for line in lines if not line.startswith("import time:"))
        message = check_refusal(done.returncode, done.stdout, expected, code, words)
        assert "utils.make_triton_image" in imported or "utils.options.build_spec" in imported
        assert "torch" not in imported and "transformers" not in imported
        # PYTHONPROFILEIMPORTTIME doubles the time of imports.
        assert (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime) < EARLY_SECONDS
        # Other builds may run in this checkout: only folders with this name count.
        work = ROOT / "build" / ".work"
        assert not (work.is_dir() and [each for each in work.iterdir() if each.name.startswith(name)])
        assert not (ROOT / "build" / name).exists() and not (ROOT / "build/.unfinished" / name).exists()
        return message

    return run


NAME = object()


def check_refusal(status: object, out: str, err: str, code: int, words: Sequence[str]) -> str:
    """Checks a refusal: the exit code, an empty stdout, and one error line with all `words`."""
    assert status == code, err
    assert out == ""
    errors = [line for line in err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, err
    assert err.endswith(f"{errors[0]}\n"), "the error is the last line"
    assert "Traceback" not in err
    assert not re.search(r"Error\b.*Error\b.*Error\b", errors[0]), "a sentence, not a chain of exceptions"
    missing = [each for each in words if each not in errors[0]]
    assert not missing, f"{missing} not in: {errors[0]}"
    return errors[0]


def left_below(build: Path) -> list[str]:
    """Trees and work folders, without `.lock` and the empty `.work`."""
    found = [path.relative_to(build).as_posix() for path in build.rglob("*")]
    return sorted(set(found) - {".lock", ".work"})

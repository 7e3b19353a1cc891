"""The whole report: its sections, the exit code with faults, and --json. docker is a stub."""

import json

import pytest

from utils import doctor
from utils.diagnosis import network, storages
from utils.diagnosis.findings import FAULT, OK, ProofRow, warning
from utils.doctor import FaultsFoundError, parse_arguments, report
from utils.host import entry
from utils.host.errors import UsageError
from utils.targets.releases import default_release, find_release

DEFAULT = find_release(default_release())


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """No docker on PATH, and no network checks."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(network, "checks", lambda: [("hub", lambda: warning("hub", "silent", "wait"))])
    monkeypatch.setattr(storages, "checks", list)


@pytest.fixture
def written(monkeypatch):
    """The output before the error."""
    texts = []
    monkeypatch.setattr(entry, "write_stdout", texts.append)
    return texts


@pytest.fixture
def docker(tmp_path, monkeypatch):
    """An engine without images, with a registry that has all of them."""
    monkeypatch.setenv("DOCKER_HOST", "unix:///the/socket")
    program = tmp_path / "docker"
    program.write_text(
        f"""#!/bin/sh
echo "$@" >> {tmp_path}/calls
case "$1" in
version) echo 20.10.24;;
info) echo '{{"DockerRootDir": "{tmp_path}", "Architecture": "x86_64"}}';;
manifest) echo '{{}}';;
*) exit 1;;
esac
"""
    )
    program.chmod(0o755)
    return (tmp_path / "calls").read_text


def run(*arguments):
    return report(parse_arguments(arguments))


class TestArguments:
    def test_the_default_image_is_that_of_the_default_release(self):
        options = parse_arguments([])
        assert (options.image, options.slim) == (DEFAULT.triton_image, DEFAULT.slim_image)

    def test_the_slim_base_follows_from_another_base_image(self):
        assert parse_arguments(["--base-image", "mine:1"]).slim == ""
        assert parse_arguments(["--base-image", "mine:1", "--slim-image", "small:1"]).slim == "small:1"

    @pytest.mark.parametrize("arguments", [["--unknown"], ["more"], ["--base-image", "Bad Name"], ["--base-image"]])
    def test_invalid_arguments_are_a_usage_error(self, arguments):
        with pytest.raises(UsageError):
            parse_arguments(arguments)


def test_a_machine_without_docker(written):
    with pytest.raises(FaultsFoundError) as raised:
        run()
    assert raised.value.exit_code == 7
    assert "Docker client" in str(raised.value)
    (text,) = written
    titles = [line for line in text.splitlines() if line and not line.startswith(" ")]
    assert titles[:4] == ["machine", "docker", "base image", "network"]
    assert "no Docker engine responds" in text


def test_json_is_one_complete_object(written):
    with pytest.raises(FaultsFoundError):
        run("--json")
    whole = json.loads(written[0])
    assert (whole["status"], whole["exit_code"], whole["base_image"]) == (FAULT, 7, DEFAULT.triton_image)
    assert list(whole["sections"]) == ["machine", "docker", "base image", "network"]
    assert whole["sections"]["network"] == [
        {"status": "warning", "check": "hub", "found": "silent", "advice": "wait", "exit_code": 0}
    ]
    assert whole["proof"] == []


def test_a_missing_default_image_is_a_warning(docker):
    text = run()
    assert f"{DEFAULT.triton_image} is not on the Docker engine" in text
    assert "docker pull" in text
    assert f"{DEFAULT.triton_image} can be pulled" in text and f"{DEFAULT.slim_image} can be pulled" in text
    assert "\npull " not in docker(), "nothing is pulled without --pull"
    assert "0 faults" in text


@pytest.mark.parametrize("arguments", [["--base-image", "mine:1"], ["--prove"]])
def test_a_named_image_or_a_proof_needs_the_image(docker, written, arguments):
    with pytest.raises(FaultsFoundError, match="image") as raised:
        run(*arguments)
    assert raised.value.exit_code == 7


def test_pull_pulls(docker, written):
    with pytest.raises(FaultsFoundError):
        run("--base-image", "mine:1", "--pull")
    assert "pull mine:1" in docker()
    assert "cannot be pulled" in written[0]


def test_no_proof_runs_after_a_fault(docker, written, monkeypatch):
    monkeypatch.setattr(doctor, "_prove", lambda *_: pytest.fail("it was tried"))
    with pytest.raises(FaultsFoundError):
        run("--prove")
    assert "fix the faults above first: image" in " ".join(written[0].split())


class TestProof:
    """The proof's child is a script; the real proof runs in tests/image/test_doctor.py."""

    @pytest.fixture
    def child(self, tmp_path, docker, monkeypatch):
        monkeypatch.setattr(doctor, "_base_image", lambda *_: [])
        (tmp_path / "utils").mkdir()
        monkeypatch.setattr(doctor, "ROOT", tmp_path)
        record = tmp_path / "arguments"

        def make(code):
            (tmp_path / "utils/launch.py").write_text(
                f"import sys\nopen({str(record)!r}, 'w').write(' '.join(sys.argv[1:]))\n{code}\n"
            )
            return record.read_text

        return make

    def test_its_rows_are_in_the_report(self, child):
        row = {"status": OK, "row": 3, "case": "batch 0", "must": "400", "seen": "400"}
        arguments = child(f"print({json.dumps([row])!r})")
        assert "ok      3    batch 0  400   400" in run("--prove", "--base-image", "mine:1")
        assert arguments() == "utils.host.environment utils.diagnosis.prove --base-image mine:1"

    def test_a_faulty_row_sets_the_exit_code(self, child, written):
        row = ProofRow(status=FAULT, row=12, case="stub killed", must="ends", seen="runs", exit_code=8)
        child(f"print({json.dumps([vars(row)])!r})")
        with pytest.raises(FaultsFoundError, match="stub killed") as raised:
            run("--prove")
        assert raised.value.exit_code == 8

    def test_a_proof_that_fails_to_run(self, child, written):
        child("sys.exit(4)")
        with pytest.raises(FaultsFoundError, match="proof") as raised:
            run("--prove")
        assert raised.value.exit_code == 4
        assert "exited with 4" in written[0]

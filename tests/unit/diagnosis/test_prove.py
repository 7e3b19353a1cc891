"""The rows for a failed build and for a container that keeps running without its stub. docker is a stub."""

import pytest

from utils.diagnosis import prove, sample_model
from utils.diagnosis.findings import FAULT, OK
from utils.diagnosis.target import Target
from utils.docker.client import BUILT_IN, DockerClient
from utils.docker.running_container import RunningContainer
from utils.triton.address import ServerAddress

UNUSED = "127.0.0.1:9"
OPTIONS = prove.Options(base_image="base:1", slim_image="", release="24.10")


@pytest.fixture
def docker(tmp_path, monkeypatch):
    """docker(kill=..., running=..., code=...): the client of a docker on PATH; .calls(): its arguments."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("DOCKER_HOST", "unix:///the/socket")
    program = tmp_path / "docker"

    def make(kill="exit 0", running="false", code="1"):
        program.write_text(
            f"""#!/bin/sh
echo "$@" >> {tmp_path}/calls
case "$1 $3" in
version*) echo 20.10.24;;
"exec "*) {kill};;
"inspect {{{{.State.Running}}}}") echo {running};;
"inspect {{{{.State.ExitCode}}}}") echo {code};;
esac
"""
        )
        program.chmod(0o755)
        return DockerClient(program=program, builder=BUILT_IN)

    make.calls = (tmp_path / "calls").read_text
    return make


def kill_stub(client):
    container = RunningContainer(client=client, name="c", address=ServerAddress(http=UNUSED, grpc=UNUSED))
    return prove._kill_stub(container, Target(address=UNUSED, model="m"))


class TestStubKilled:
    def test_the_container_ends(self, docker):
        row = kill_stub(docker())
        assert (row.status, row.row) == (OK, 12)
        assert "exited with 1" in row.seen

    def test_the_container_ends_with_0(self, docker):
        row = kill_stub(docker(code="0"))
        assert (row.status, row.exit_code) == (FAULT, 8)

    def test_the_container_keeps_running(self, docker, monkeypatch):
        monkeypatch.setattr(prove, "END_SECONDS", 0.5)
        row = kill_stub(docker(running="true", code="0"))
        assert row.status == FAULT and "still running after 0.5 s" in row.seen

    def test_there_is_no_stub(self, docker):
        row = kill_stub(docker(kill="echo 'list index out of range' >&2; exit 1"))
        assert row.status == FAULT and "no stub could be killed (list index" in row.seen


def test_a_failed_build_is_the_only_row_and_is_removed(docker, tmp_path, monkeypatch, capfd):
    docker()
    monkeypatch.setattr(prove, "ROOT", tmp_path)
    monkeypatch.setattr(sample_model, "make", lambda folder: folder)
    script = tmp_path / "make_triton_image.sh"
    script.write_text("""#!/bin/sh
echo "$@" >&2
echo "  the finished model repository is kept; continue with: this" >&2
echo "error: the server ended; its log says:
first line
ModuleNotFoundError: no x" >&2
exit 7
""")
    script.chmod(0o755)
    (row,) = prove.prove(OPTIONS)
    assert (row.status, row.exit_code, row.seen) == (
        FAULT,
        7,
        "exit code 7: the server ended; its log says: ModuleNotFoundError: no x",
    )
    errors = capfd.readouterr().err
    assert "--base-image base:1 --release 24.10" in errors and "first line" in errors
    assert "continue with" not in errors, "what was made is removed"
    assert "rmi --force tritoned_doctor-" in docker.calls()

"""The choice of a docker client, its commands and the lines quoted from them. The clients are stub scripts."""

import os
import signal
import time

import pytest

from utils.docker.client import BUILDX, BUILT_IN, LEGACY, DockerClient, find_client, last_line, telling_line
from utils.host.errors import ImageError, Terminated


def stub(folder, version, *, buildx=False, body=""):
    folder.mkdir()
    program = folder / "docker"
    program.write_text(
        f"#!/bin/sh\ncase $1 in\nversion) echo {version}; exit 1;;\nbuildx) exit {0 if buildx else 1};;\n{body}\nesac\n"
    )
    program.chmod(0o755)
    return program


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", f"{tmp_path / 'a'}:{tmp_path / 'b'}:{tmp_path / 'c'}")
    return tmp_path


def test_no_docker_on_the_path_is_refused(path):
    with pytest.raises(ImageError, match=r"none is on PATH.*--no-image"):
        find_client()


def test_docker_that_does_not_run_is_named(path):
    program = stub(path / "a", "''")
    with pytest.raises(ImageError, match=f"{program} does not run"):
        find_client()


@pytest.mark.parametrize(
    ("version", "buildx", "builder"),
    [
        ("20.10.24+dfsg1", False, BUILT_IN),
        ("28.2.2", True, BUILDX),
        ("28.2.2", False, LEGACY),
        ("20.10.1", True, BUILDX),
    ],
)
def test_builder_of_a_client(path, version, buildx, builder):
    program = stub(path / "a", version, buildx=buildx)
    assert find_client() == DockerClient(program=program, builder=builder)


def test_hanging_engine_does_not_hide_the_client(path):
    """The stub prints its version only after the engine answers, as the real client does."""
    program = stub(path / "a", "28.2.2", buildx=True)
    script = program.read_text().replace(
        "version)", 'version) [ "$DOCKER_HOST" = unix:///nowhere ] || exec /bin/sleep 60;'
    )
    program.write_text(script)
    started = time.monotonic()
    assert find_client().program == program
    assert time.monotonic() - started < 10


def test_first_client_with_buildkit_is_preferred(path, capsys):
    stub(path / "a", "28.2.2")
    program = stub(path / "b", "20.10.24")
    stub(path / "c", "28.2.2", buildx=True)
    assert find_client().program == program
    assert str(path / "a/docker") in capsys.readouterr().err


def test_first_client_is_used_without_a_note(path, capsys):
    program = stub(path / "a", "28.2.2", buildx=True)
    stub(path / "b", "20.10.24")
    assert find_client().program == program
    assert capsys.readouterr().err == ""


def test_legacy_builder_is_reported(path, capsys):
    program = stub(path / "a", "28.2.2")
    stub(path / "b", "27.0.1")
    assert find_client() == DockerClient(program=program, builder=LEGACY)
    assert "legacy builder" in capsys.readouterr().err


@pytest.mark.parametrize(("builder", "value"), [(LEGACY, "0"), (BUILT_IN, "1")])
def test_builder_overrides_the_environment(tmp_path, monkeypatch, builder, value):
    monkeypatch.setenv("DOCKER_BUILDKIT", "maybe")
    program = stub(tmp_path / "a", "1", body="env) echo $DOCKER_BUILDKIT;;")
    assert DockerClient(program=program, builder=builder).run("env").stdout == f"{value}\n"


def test_engine_that_does_not_answer_times_out(tmp_path):
    program = stub(tmp_path / "a", "1", body="wait) exec sleep 60;;")
    answer = DockerClient(program=program, builder=BUILT_IN).run("wait", seconds=0.2)
    assert (answer.returncode, answer.stderr) == (124, "no answer in 0.2 s")


def test_output_goes_to_stderr_only(tmp_path, capfd):
    program = stub(tmp_path / "a", "1", body="build) echo out; echo err >&2; exit 3;;")
    assert DockerClient(program=program, builder=BUILT_IN).watch("build") == (3, "err")
    captured = capfd.readouterr()
    assert captured.out == ""
    assert captured.err == "out\nerr\n"


@pytest.mark.parametrize("method", ["run", "watch"])
def test_interrupt_ends_the_child(tmp_path, method):
    program = stub(tmp_path / "a", "1", body=f"build) echo $$ > {tmp_path}/pid; exec sleep 60;;")

    def terminate(number, frame):
        raise Terminated

    former = signal.signal(signal.SIGALRM, terminate)
    signal.setitimer(signal.ITIMER_REAL, 0.5)
    started = time.monotonic()
    try:
        with pytest.raises(Terminated):
            getattr(DockerClient(program=program, builder=BUILT_IN), method)("build")
    finally:
        signal.signal(signal.SIGALRM, former)
    assert time.monotonic() - started < 5
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_output_of_the_failed_step_is_quoted():
    new = ["#9 0.3 ERROR: No matching", 'ERROR: process "/bin/sh -c pip" did not complete successfully: exit code: 1']
    old = ["#9 0.3 ERROR: No matching", "------", "executor failed running [/bin/sh -c pip]: exit code: 1"]
    legacy = [" ---> Running in 1", "\x1b[91mERROR: No matching", "\x1b[0mRemoving intermediate container 1"]
    legacy += ["The command '/bin/sh -c pip' returned a non-zero code: 1"]
    assert telling_line(new) == telling_line(old) == telling_line(legacy) == "ERROR: No matching"
    assert telling_line(["#1 0.1 fine", "failed to solve: no such image"]) == "failed to solve: no such image"
    mixed = ["#15 2.6 ERROR: No matching", "#15 2.6 Looking in links", "#15 ERROR: executor failed running [/bin/sh]"]
    assert telling_line(mixed) == "ERROR: No matching"
    assert telling_line([]) == "docker printed nothing"


def test_failed_step_is_quoted_although_another_printed_later():
    lines = ["#10 4.4 ERROR: no libarchive.so.13", "#10 ERROR: executor failed running [/bin/sh]: exit code: 1"]
    lines += ["#15 4.6 Successfully installed numpy", "#15 CANCELED", "------", " > [collected 3/3] RUN:", "------"]
    assert telling_line([*lines, "executor failed running [/bin/sh]: exit code: 1"]) == "ERROR: no libarchive.so.13"


def test_last_line_skips_the_reference_to_help():
    assert last_line("docker: no.\nSee 'docker run --help'.\n\n") == "docker: no."

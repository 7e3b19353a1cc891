"""Which docker on PATH builds, and what of its output is quoted. The clients are stubs."""

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


def test_no_docker_is_a_sentence(path):
    with pytest.raises(ImageError, match="none on PATH; install Docker, or use --no-image"):
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
def test_what_a_client_builds_with(path, version, buildx, builder):
    program = stub(path / "a", version, buildx=buildx)
    assert find_client() == DockerClient(program=program, builder=builder)


def test_an_engine_that_hangs_does_not_hide_the_client(path):
    """As the real client does: it gives its own version after the engine's answer."""
    program = stub(path / "a", "28.2.2", buildx=True)
    script = program.read_text().replace(
        "version)", 'version) [ "$DOCKER_HOST" = unix:///nowhere ] || exec /bin/sleep 60;'
    )
    program.write_text(script)
    started = time.monotonic()
    assert find_client().program == program
    assert time.monotonic() - started < 10


def test_first_that_builds_with_buildkit_is_preferred(path, capsys):
    stub(path / "a", "28.2.2")
    program = stub(path / "b", "20.10.24")
    stub(path / "c", "28.2.2", buildx=True)
    assert find_client().program == program
    assert str(path / "a/docker") in capsys.readouterr().err


def test_first_is_used_without_a_word_when_it_will_do(path, capsys):
    program = stub(path / "a", "28.2.2", buildx=True)
    stub(path / "b", "20.10.24")
    assert find_client().program == program
    assert capsys.readouterr().err == ""


def test_legacy_builder_is_told(path, capsys):
    program = stub(path / "a", "28.2.2")
    stub(path / "b", "27.0.1")
    assert find_client() == DockerClient(program=program, builder=LEGACY)
    assert "legacy builder" in capsys.readouterr().err


@pytest.mark.parametrize(("builder", "value"), [(LEGACY, "0"), (BUILT_IN, "1")])
def test_builder_is_chosen_whatever_the_environment_says(tmp_path, monkeypatch, builder, value):
    monkeypatch.setenv("DOCKER_BUILDKIT", "maybe")
    program = stub(tmp_path / "a", "1", body="env) echo $DOCKER_BUILDKIT;;")
    assert DockerClient(program=program, builder=builder).ask("env").stdout == f"{value}\n"


def test_engine_that_never_answers_is_given_up(tmp_path):
    program = stub(tmp_path / "a", "1", body="wait) exec sleep 60;;")
    answer = DockerClient(program=program, builder=BUILT_IN).ask("wait", seconds=0.2)
    assert (answer.returncode, answer.stderr) == (124, "no answer in 0.2 s")


def test_output_goes_to_stderr_only(tmp_path, capfd):
    program = stub(tmp_path / "a", "1", body="build) echo out; echo err >&2; exit 3;;")
    assert DockerClient(program=program, builder=BUILT_IN).watch("build") == (3, "err")
    captured = capfd.readouterr()
    assert captured.out == ""
    assert captured.err == "out\nerr\n"


def test_interrupt_ends_the_build(tmp_path):
    program = stub(tmp_path / "a", "1", body=f"build) echo $$ > {tmp_path}/pid; exec sleep 60;;")

    def terminate(number, frame):
        raise Terminated

    former = signal.signal(signal.SIGALRM, terminate)
    signal.setitimer(signal.ITIMER_REAL, 0.5)
    started = time.monotonic()
    try:
        with pytest.raises(Terminated):
            DockerClient(program=program, builder=BUILT_IN).watch("build")
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
    assert telling_line([]) == "docker says nothing"


def test_the_line_of_the_step_that_failed_is_told_though_another_printed_after_it():
    lines = ["#10 4.4 ERROR: no libarchive.so.13", "#10 ERROR: executor failed running [/bin/sh]: exit code: 1"]
    lines += ["#15 4.6 Successfully installed numpy", "#15 CANCELED", "------", " > [collected 3/3] RUN:", "------"]
    assert telling_line([*lines, "executor failed running [/bin/sh]: exit code: 1"]) == "ERROR: no libarchive.so.13"


def test_last_line_leaves_out_the_pointer_to_the_help():
    assert last_line("docker: no.\nSee 'docker run --help'.\n\n") == "docker: no."

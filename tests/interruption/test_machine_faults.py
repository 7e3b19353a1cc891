"""Faults of the machine: no engine, a full disk, a read-only folder. Each is reported with the stage's exit code."""

import ctypes
import os
import re
import shutil
import signal
import subprocess
import sys

import pytest

from tests.interruption.conftest import HERE, NAME, TAG, contents, wait_for

IMAGE = ("--base-image", "triton:1", "--slim-image", "slim:1")
NO_PROOF = (*IMAGE, "--no-verify")
CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, PR_CAPBSET_DROP = 1, 2, 24


def sentence(done, exit_code):
    """The last line of stderr, `error: ...`, after checking the exit code, an empty stdout and no traceback."""
    code, out, err = done
    assert (code, out) == (exit_code, ""), err
    assert "Traceback" not in err
    line = err.splitlines()[-1]
    assert line.startswith("error: "), err
    return line


@pytest.mark.parametrize(
    ("failing", "exit_code", "reason", "options"),
    [("build", 7, "the engine is gone", NO_PROOF), ("proof", 8, "run the same command again", IMAGE)],
)
def test_engine_that_fails_midway_costs_no_conversion(checkout, failing, exit_code, reason, options):
    good = contents(checkout.good)
    done = checkout.run(checkout.command("-", options=options), DOCKER_FAIL=failing)
    assert reason in sentence(done, exit_code)
    assert contents(checkout.good) == good
    assert checkout.work() == []
    kept = checkout.build / ".unfinished" / NAME / TAG
    assert contents(kept / "model_repository") == contents(checkout.state / "expected")
    assert not (kept / "tmp").exists()
    # The printed command, as a user copies it, with a working engine.
    command = re.search(r"continue with: (.*)", done[2])[1]
    code, out, err = checkout.run(["bash", "-c", command if "--no-verify" in command else f"{command} --no-verify"])
    assert (code, out) == (0, f"tritoned_{NAME}:{TAG}\n"), err
    assert contents(checkout.good / "model_repository") == contents(checkout.state / "expected")
    assert not kept.exists()
    assert not (checkout.good / "tmp").exists()
    assert (checkout.state / "docker/tags" / f"tritoned_{NAME} {TAG}").read_text() == "sha256:new\n"


def test_missing_wheels_cost_no_conversion(checkout, tmp_path):
    no_index = {"XDG_CACHE_HOME": str(tmp_path), "PIP_INDEX_URL": "http://127.0.0.1:9/", "PIP_FIND_LINKS": ""}
    done = checkout.run(checkout.command("-", options=NO_PROOF), **no_index, PIP_CONFIG_FILE=os.devnull)
    assert "package index cannot be reached" in sentence(done, 7)
    command = re.search(r"continue with: (.*)", done[2])[1]
    code, out, err = checkout.run(["bash", "-c", command])
    assert (code, out) == (0, f"tritoned_{NAME}:{TAG}\n"), err
    assert list((checkout.good / "wheelhouse").glob("*.whl"))


def test_success_removes_the_tree_kept_after_a_failure(checkout):
    kept = checkout.build / ".unfinished" / NAME / TAG
    assert checkout.run(checkout.command("-", options=IMAGE), DOCKER_FAIL="proof")[0] == 8
    assert kept.is_dir()
    code, _, err = checkout.run(checkout.command("-", options=NO_PROOF))
    assert code == 0, err
    assert not kept.exists()


@pytest.mark.parametrize(
    ("fails", "exit_code", "reason"),
    [("version", 7, "no Docker engine answers"), ("pull", 7, "base image triton:1 is not on the Docker engine")],
)
def test_missing_engine_or_base_image_is_reported_before_the_conversion(checkout, fails, exit_code, reason):
    variables = {"DOCKER_FAIL": fails}
    if fails == "version":
        path = HERE.parent / "shell"
        variables = {"PATH": f"{path}{os.pathsep}{os.defpath}", "DOCKER_HOST": "unix:///no/such.sock"}
        reason = "Docker"
    done = checkout.run(checkout.command("-", options=NO_PROOF), **variables)
    assert reason in sentence(done, exit_code)
    assert "convert" not in done[2]


STAGES = {
    "references": 3,
    "weights": 3,
    "convert": 4,
    "render": 6,
    "wheels": 7,
    "boot proof": 8,
    "moving into place": 6,
}


@pytest.mark.long("moving into place", "convert")
@pytest.mark.parametrize("stage", list(STAGES))
def test_disk_that_fills_up_midway(checkout, stage):
    good = contents(checkout.good)
    options = NO_PROOF if stage == "wheels" else ("--no-image",)
    variables = {"CONVERSION": ""} if stage == "convert" else {}
    done = checkout.run(checkout.command(f"full at {stage}", options=options), **variables)
    line = sentence(done, STAGES[stage])
    assert "No space left on device" in line
    assert "make room" in line
    assert contents(checkout.good) == good
    assert checkout.work() == []


def test_full_disk_is_reported_before_the_conversion(checkout):
    done = checkout.run(checkout.command("no room"))
    line = sentence(done, 4)
    assert "12 MB" in line
    assert "convert" not in done[2]


def test_result_that_cannot_be_written_fails(checkout):
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = subprocess.run(
            [str(checkout.root / "cleanup.sh"), NAME], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60
        )
    assert done.returncode == 1
    assert done.stderr.startswith("error: No space left on device")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("debug", [False, True])
def test_unexpected_exception_is_reported_in_one_sentence(checkout, debug):
    command = checkout.command("fault at render", options=("--no-image", *(["--debug"] if debug else [])))
    code, out, err = checkout.run(command)
    assert (code, out) == (6, ""), "the code of the stage: render"
    assert err.splitlines()[-1].startswith("error: unexpected ZeroDivisionError: a fault of the test; ")
    assert ("Traceback" in err) == debug


def drop_root_capabilities():
    """Drops the capabilities by which root ignores file modes."""
    if os.geteuid() == 0:
        libc = ctypes.CDLL(None, use_errno=True)
        for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
            if libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
                raise OSError(ctypes.get_errno(), "prctl")


def run_restricted(command, **variables):
    done = subprocess.run(
        [str(part) for part in command],
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **variables},
        preexec_fn=drop_root_capabilities,
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def locked():
    """`locked(folder)` makes it read-only until the end of the test."""
    folders = []

    def lock(folder):
        folder.chmod(0o555)
        folders.append(folder)

    yield lock
    for folder in folders:
        folder.chmod(0o755)


@pytest.mark.parametrize("place", ["build", "build/.work", "build/.lock", "."])
def test_build_folder_that_cannot_be_written(checkout, locked, place):
    if place == ".":
        shutil.rmtree(checkout.build)
    if place == "build/.lock":
        (checkout.build / ".lock").chmod(0o444)
    else:
        locked(checkout.root / place)
    if place == "build":
        (checkout.build / ".lock").unlink()
    command = [checkout.root / "make_triton_image.sh", checkout.model, checkout.model, "-", NAME, TAG, "--no-image"]
    try:
        line = sentence(run_restricted(command), 2)
    finally:
        if place == "build/.lock":
            (checkout.build / ".lock").chmod(0o644)
        (checkout.root).chmod(0o755)
        (checkout.build / ".work").mkdir(parents=True, exist_ok=True)
    assert str(checkout.build) in line
    assert "Permission denied" in line


UV = """#!/bin/sh
echo "$1" >> "$UV_LOG"
case "$1" in
  venv) for folder; do :; done; mkdir -p "$folder"; for name in bin lib pyvenv.cfg; do ln -sfn "$REAL/$name" "$folder/$name"; done ;;
  pip) if [ -n "$UV_HANG" ]; then touch "$PAUSED"; exec sleep 600; fi ;;
esac
"""  # noqa: E501


@pytest.fixture
def first_use(checkout, tmp_path):
    """A clone without .venv, and a fake `uv` that makes it from links; (command, variables, .venv)."""
    clone = tmp_path / "clone"
    shutil.copytree(checkout.root, clone, symlinks=True, ignore=shutil.ignore_patterns(".venv*", "build", "tests"))
    (tmp_path / "uv").write_text(UV)
    (tmp_path / "uv").chmod(0o755)
    (tmp_path / "python3").symlink_to(sys._base_executable)
    variables = {
        "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
        "REAL": sys.prefix,
        "UV_LOG": str(tmp_path / "uv.log"),
    }
    return [str(clone / "process_template.sh"), "nowhere.json", "out"], variables, clone / ".venv"


def set_up_and_run(checkout, command, variables):
    """Runs the command, which fails inside the environment for its missing file; returns stderr."""
    code, _, err = checkout.run(command, **variables)
    assert code == 6, err
    assert "nowhere.json" in err.splitlines()[-1]
    return err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, 137)])
def test_interrupted_set_up_starts_over(checkout, first_use, number, code, tmp_path):
    command, variables, environment = first_use
    child = checkout.start(command, **variables, UV_HANG="1")
    wait_for(checkout.paused.exists, "installer", 30)
    os.kill(child.pid, number)
    ended, out, err = checkout.end(child, 20)
    assert (ended, out) == (code, ""), err
    assert "Traceback" not in err
    wait_for(lambda: not checkout.living(), "end of the installer", 10)
    assert not list(environment.glob("*.sha256"))
    (environment / "half").touch()
    assert ".venv is incomplete or" in set_up_and_run(checkout, command, variables)
    assert not (environment / "half").exists()
    assert (tmp_path / "uv.log").read_text().split() == ["venv", "pip", "venv", "pip", "pip"], (
        "the lock, then what it leaves out"
    )


@pytest.mark.parametrize("damage", ["interpreter", "package"])
def test_damaged_environment_is_rebuilt(checkout, first_use, damage):
    command, variables, environment = first_use
    set_up_and_run(checkout, command, variables)
    if damage == "interpreter":
        (environment / "bin").unlink()
        (environment / "bin").mkdir()
        (environment / "bin/python").symlink_to("/no/such/python3")
    else:
        listed = environment / "factory.contents"
        listed.write_text(listed.read_text() + "a_missing_package\n")
    assert ".venv is incomplete" in set_up_and_run(checkout, command, variables)


def test_environment_that_cannot_be_made_is_reported(first_use, locked):
    command, variables, environment = first_use
    locked(environment.parent)
    line = sentence(run_restricted(command, **variables), 2)
    assert str(environment) in line
    assert "Permission denied" in line

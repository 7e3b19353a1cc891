"""doctor.sh in a copy of the checkout without an environment, on a machine without Docker and without a network."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from utils import ROOT

PROGRAMS = ("bash", "dirname", "readlink")


@pytest.fixture
def doctor(tmp_path):
    """doctor(*arguments): the finished process. PATH has what the script needs, and this base Python."""
    left_out = shutil.ignore_patterns(".*", "build", "tests", "docs", "benchmarks", "__pycache__", "*_cache")
    shutil.copytree(ROOT, tmp_path / "fresh", ignore=left_out)
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in PROGRAMS:
        (programs / name).symlink_to(shutil.which(name))
    (programs / "python3").symlink_to(sys._base_executable)
    foreign = ("PYTHON", "TRITON_FACTORY_", "DOCKER_", "HF_", "CLEARML_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    offline = {"PIP_NO_INDEX": "1", "HF_ENDPOINT": "http://127.0.0.1:9", "XDG_CACHE_HOME": str(tmp_path / "cache")}
    settings = {**kept, **offline, "PATH": str(programs), "PYTHONDONTWRITEBYTECODE": "1"}

    def run(*arguments):
        command = [tmp_path / "fresh/doctor.sh", *arguments]
        return subprocess.run(command, env=settings, cwd=tmp_path, capture_output=True, text=True, timeout=60)

    return run


def test_the_report_is_complete_and_nothing_is_made(doctor, tmp_path):
    done = doctor("--json")
    assert (done.returncode, done.stderr.count("\n")) == (7, 1), done.stderr
    sections = json.loads(done.stdout)["sections"]
    assert list(sections) == ["machine", "docker", "base image", "network"]
    seen = {each["check"]: each["status"] for findings in sections.values() for each in findings}
    assert seen["Docker client"] == seen["package index"] == "fault"
    assert seen["image"] == seen["Hugging Face Hub"] == "warning"
    assert not {".venv", "build"} & {path.name for path in (tmp_path / "fresh").iterdir()}
    assert not (tmp_path / "cache").exists()


def test_a_proof_is_not_tried_there(doctor, tmp_path):
    done = doctor("--prove")
    assert done.returncode == 7
    assert "fix the faults above first: Docker client" in " ".join(done.stdout.split())
    assert not (tmp_path / "fresh/.venv").exists()

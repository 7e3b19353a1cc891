"""doctor.sh on the stand-in base: it has no fault, and each fault built into a copy is reported on its own line."""

import json
import subprocess

import pytest

from tests.image.conftest import BOOKWORM, TRIXIE, TRIXIE_OWN
from utils import ROOT
from utils.host.build_tree import BUILD

TRITON = "/opt/tritonserver"
# case -> the change of the base, and the first fault in the report: its check and a part of its text.
FAULTS = {
    "missing library": (
        "RUN rm /usr/lib/x86_64-linux-gnu/libdcgm-*",
        "libraries",
        "(needed by libtritonserver",
    ),
    "no ONNX Runtime backend": (f"RUN rm -r {TRITON}/backends/onnxruntime", "backends", "no onnxruntime backend"),
    "no stub": (f"RUN rm {TRITON}/backends/python/triton_python_backend_stub", "libraries", "its stub"),
    "an old release": ("ENV NVIDIA_TRITON_SERVER_VERSION=22.12", "release", "not supported"),
    "no Python": ("RUN rm /usr/bin/python3", "Python", "no working python3"),
    "server that does not start": (f"RUN printf 'exit 1' > {TRITON}/bin/tritonserver", "server", "prints nothing"),
}


def doctor(*arguments, timeout=60):
    return subprocess.run(
        [ROOT / "doctor.sh", *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout
    )


@pytest.mark.parametrize("name", FAULTS)
def test_fault_of_the_base_is_reported(derive, bases, name):
    instruction, check, text = FAULTS[name]
    image = derive(bases[0], instruction)
    done = doctor("--base-image", image, "--slim-image", bases[1], "--prove", "--json")
    assert done.returncode == 7, done.stderr
    whole = json.loads(done.stdout)
    faults = [each for findings in whole["sections"].values() for each in findings if each["status"] == "fault"]
    assert (faults[0]["check"], text in faults[0]["found"]) == (check, True), faults
    assert all(each["advice"] for each in faults)
    assert whole["proof"] == [], "a base with a fault is not built on"


@pytest.mark.long("*trixie*")
@pytest.mark.parametrize("standin", [BOOKWORM, TRIXIE], ids=lambda standin: standin.full)
def test_stand_in_is_proven(engine, make_standin, standin):
    """Report, build, boot proof, fault table, stub kill, removal. The stand-in says 24.10, below the security floor."""
    make_standin(standin)
    done = doctor("--base-image", standin.full, "--slim-image", standin.slim, "--prove", timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "  fault " not in done.stdout
    assert "warning  release" in done.stdout and "lacks security fixes" in done.stdout
    report, table = done.stdout.split("\nproof\n")
    assert report.startswith("machine\n")
    rows = [line.split()[:2] for line in table.splitlines()[1:] if line.startswith("  ")]
    assert {number for _, number in rows} == {"-", *map(str, (*range(1, 11), 12, 16))}
    assert {status for status, _ in rows} == {"ok"}
    assert "Python stub killed" in table
    assert_nothing_is_left(engine)


@pytest.mark.long
def test_fault_that_only_the_proof_finds(engine, make_standin):
    """The stub of this stand-in returns broken arrays (see TRIXIE_OWN); every check before the proof passes."""
    standin = make_standin(TRIXIE_OWN)
    done = doctor("--base-image", standin.full, "--slim-image", standin.slim, "--prove", "--json", timeout=900)
    assert done.returncode == 8, done.stderr
    whole = json.loads(done.stdout)
    assert "fault" not in {each["status"] for findings in whole["sections"].values() for each in findings}
    (row,) = whole["proof"]
    assert row["status"] == "fault" and "returns a wrong answer" in row["seen"]
    assert_nothing_is_left(engine)


def test_terminated_proof_leaves_nothing(engine, bases):
    command = [ROOT / "doctor.sh", "--base-image", bases[0], "--slim-image", bases[1], "--prove"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        for line in child.stderr:
            if line.startswith("boot proof"):
                break
        child.terminate()
        output, _ = child.communicate(timeout=60)
    assert (child.returncode, output) == (143, "")
    assert_nothing_is_left(engine)


def assert_nothing_is_left(engine):
    """No image and no build tree is left. A container that still ran would keep its image."""
    named = engine.client.run("images", "--format", "{{.Repository}}").stdout.split()
    assert not [name for name in named if name.startswith("tritoned_doctor-")]
    assert not list(BUILD.glob("doctor-*")) and not list(BUILD.glob(".unfinished/doctor-*"))

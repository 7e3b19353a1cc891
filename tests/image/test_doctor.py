"""doctor.sh on the stand-in base: it has no fault, and each fault built into a copy is reported on its own line."""

import json
import subprocess

import pytest

from tests import shared_conversions
from tests.image.conftest import BOOKWORM, TRIXIE, TRIXIE_OWN
from utils import ROOT
from utils.host.build_tree import BUILD

TRITON = "/opt/tritonserver"
# case -> the change of the base, and the faults in the report: each one's check, and a part of its text.
FAULTS = {
    "all at once": (
        "ENV NVIDIA_TRITON_SERVER_VERSION=22.12\n"
        f"RUN rm -r /usr/bin/python3 /usr/lib/x86_64-linux-gnu/libdcgm-* {TRITON}/backends/onnxruntime"
        f" {TRITON}/backends/python/triton_python_backend_stub",
        [
            ("release", "not supported"),
            ("Python", "no working python3"),
            ("backends", "no onnxruntime backend"),
            ("libraries", "the server (bin/tritonserver) lacks libdcgm"),
            ("libraries", "(needed by libtritonserver"),
            ("libraries", "its stub"),
            ("server", "prints nothing"),
        ],
    ),
    "server that does not start": (
        f"RUN printf 'exit 1' > {TRITON}/bin/tritonserver",
        [("server", "prints nothing")],
    ),
}


def doctor(*arguments, timeout=60):
    return subprocess.run(
        [ROOT / "doctor.sh", *arguments],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, env=shared_conversions.environment(),
    )  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_faults_of_the_base_are_reported(derive, bases, name):
    instruction, expected = FAULTS[name]
    image = derive(bases[0], instruction)
    done = doctor("--base-image", image, "--slim-image", bases[1], "--prove", "--json")
    assert done.returncode == 7, done.stderr
    whole = json.loads(done.stdout)
    faults = [each for findings in whole["sections"].values() for each in findings if each["status"] == "fault"]
    assert [fault["check"] for fault in faults] == [check for check, _ in expected], faults
    assert all(text in fault["found"] for fault, (_, text) in zip(faults, expected, strict=True)), faults
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
    env = shared_conversions.environment()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env) as child:
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

"""Findings about a base image, from look_inside.sh, which runs on folders of the tests."""

import platform
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from utils.diagnosis import base_image
from utils.diagnosis.findings import FAULT, OK, WARNING
from utils.docker.client import BUILT_IN, DockerClient
from utils.docker.engine import Engine
from utils.targets.releases import default_release

# A program that every machine with bash has, and a library that it is linked against.
PROGRAM, LIBRARY = Path("/bin/bash"), "libtinfo.so.6"
SERVER = """\
#!/bin/sh
echo "Usage: tritonserver [options]"
echo "  --model-repository <string>"
exit 1
"""


@pytest.fixture
def triton(tmp_path):
    """A complete Triton folder. Its binaries are copies of another real program."""
    folder = tmp_path / "tritonserver"
    for part in base_image.PARTS:
        (folder / part).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PROGRAM, folder / part)
    return folder


def inside(triton):
    command = ["bash", "-c", base_image.SCRIPT.read_text(), "bash", triton, *base_image.PARTS]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return base_image.sections_of(done.stdout)


def test_the_parts_are_those_of_the_image_build():
    text = (base_image.ROOT / "deploy/collect_runtime.sh").read_text()
    (pattern,) = re.findall(r'readonly ESSENTIAL="(.*)"', text)
    essential = re.compile(pattern.replace("${TRITON}", base_image.TRITON))
    assert all(essential.match(f"{base_image.TRITON}/{part}") for part in base_image.PARTS)


def statuses(findings):
    return [(each.check, each.status) for each in findings]


@pytest.mark.parametrize(
    ("name", "status", "text"),
    [
        (default_release(), OK, "ONNX Runtime"),
        ("26.06", OK, "26.06"),
        ("26.05", WARNING, "lacks security fixes of 26.06"),
        ("24.10", WARNING, "lacks security fixes"),
        ("24.01", WARNING, "lacks security fixes"),
        ("23.12", FAULT, "not supported"),
        ("22.12", FAULT, "not supported"),
        ("99.01", WARNING, "not measured"),
        ("", WARNING, "does not name its release"),
    ],
)
def test_release(name, status, text):
    found = base_image.release(name)
    assert found.status == status and text in found.found
    assert found.exit_code == (7 if status == FAULT else 0)
    assert bool(found.advice) == (status != OK)


def test_all_libraries_are_found(triton):
    assert statuses(base_image.libraries(inside(triton))) == [("libraries", OK)]


def test_a_missing_library_is_reported_with_its_user(triton):
    """One byte of the library name in the program is changed."""
    backend = triton / "backends/onnxruntime/libtriton_onnxruntime.so"
    backend.write_bytes(backend.read_bytes().replace(LIBRARY.encode(), LIBRARY.replace("tinfo", "tinfx").encode()))
    (found,) = base_image.libraries(inside(triton))
    assert (found.status, found.exit_code) == (FAULT, 7)
    assert "ONNX Runtime backend" in found.found
    assert "libtinfx.so.6 (needed by libtriton_onnxruntime.so)" in found.found


def test_a_library_in_tritons_own_folder_is_found(triton):
    """No variable and no rpath names that folder in the base image; in the finished image one does."""
    backend = triton / "backends/python/libtriton_python.so"
    other = LIBRARY.replace("tinfo", "tinfx")
    backend.write_bytes(backend.read_bytes().replace(LIBRARY.encode(), other.encode()))
    original = next(iter(Path("/").glob(f"*/{platform.machine()}-linux-gnu/{LIBRARY}")))
    (triton / "lib").mkdir()
    shutil.copy(original, triton / "lib" / other)
    assert statuses(base_image.libraries(inside(triton))) == [("libraries", OK)]


@pytest.mark.parametrize("backend", ["python", "onnxruntime"])
def test_a_missing_backend(triton, backend):
    shutil.rmtree(triton / "backends" / backend)
    found_inside = inside(triton)
    found = next(iter(base_image.backends(found_inside["backends"])))
    assert found.status == FAULT and f"no {backend} backend" in found.found
    assert statuses(base_image.libraries(found_inside)) == [("libraries", OK)], "the absent backend is reported once"


def test_a_part_of_a_backend_that_is_not_there(triton):
    (triton / "backends/python/triton_python_backend_stub").unlink()
    (found,) = base_image.libraries(inside(triton))
    assert found.status == FAULT and "triton_python_backend_stub" in found.found


def test_a_backend_may_be_written_in_python(triton):
    (triton / "backends/onnxruntime/libtriton_onnxruntime.so").rename(triton / "backends/onnxruntime/model.py")
    assert statuses(base_image.libraries(inside(triton))) == [("libraries", OK)]


@pytest.mark.parametrize(("there", "expected"), [(True, []), (False, [("backend pytorch", WARNING)])])
def test_the_pytorch_backend_is_for_one_format_only(triton, there, expected):
    if there:
        (triton / "backends/pytorch").mkdir()
    assert statuses(base_image.backends(inside(triton)["backends"]))[1:] == expected


def test_whether_the_server_starts(triton):
    """Newer releases exit with 1 after --help, and print it."""
    assert base_image.starts(inside(triton)["starts"]).status == FAULT
    (triton / "bin/tritonserver").write_text(SERVER)
    assert base_image.starts(inside(triton)["starts"]).status == OK


def test_an_empty_folder_is_inspected(tmp_path):
    found_inside = inside(tmp_path)
    assert next(iter(base_image.backends(found_inside["backends"]))).status == FAULT
    assert [each.status for each in base_image.libraries(found_inside)] == [FAULT]


class TestPython:
    def test_none(self):
        assert base_image.python(["bash: python3: not found"], "x86_64").status == FAULT
        assert base_image.python([], "x86_64").status == FAULT

    @pytest.mark.parametrize(
        ("code", "text", "status"),
        [
            ("print('the cache has the 3 serving wheels for it')", "3.12, the cache has the 3", OK),
            ("import sys; sys.exit('error: there is no wheel of x; choose another')", "no wheel of x", FAULT),
            ("import sys; sys.exit('error: the package index cannot be reached; check it')", "be reached", WARNING),
            ("import time; time.sleep(60)", "no answer about its wheels", WARNING),
        ],
    )
    def test_the_wheels_for_it(self, tmp_path, monkeypatch, code, text, status):
        monkeypatch.setattr(type(base_image.FACTORY), "is_ready", lambda self: True)
        monkeypatch.setattr(base_image, "WHEEL_SECONDS", 1)
        (tmp_path / "utils").mkdir()
        (tmp_path / "utils/launch.py").write_text(code)
        monkeypatch.setattr(base_image, "ROOT", tmp_path)
        found = base_image.python(["3.12"], "x86_64")
        assert found.status == status and text in found.found

    def test_no_environment_to_ask_with(self, monkeypatch):
        monkeypatch.setattr(type(base_image.FACTORY), "is_ready", lambda self: False)
        assert base_image.python(["3.12"], "x86_64").status == OK


class TestDistribution:
    @pytest.fixture
    def engine(self, tmp_path):
        """engine(has, os_release): a stub that has the image or not."""

        def make(has, os_release=""):
            program = tmp_path / "docker"
            (tmp_path / "os-release").write_text(os_release)
            image, release = "echo sha256:1" if has else "exit 1", f"cat {tmp_path}/os-release"
            program.write_text(
                f'#!/bin/sh\ncase "$1" in\nimage) {image};;\nrun) {release};;\n'
                "manifest) echo unreachable >&2; exit 1;;\nesac\n"
            )
            program.chmod(0o755)
            return Engine(client=DockerClient(program=program, builder=BUILT_IN))

        return make

    UBUNTU = ("ID=ubuntu", 'VERSION_ID="24.04"')

    def check(self, engine, slim=""):
        return list(base_image.distribution(engine, self.UBUNTU, slim))

    def test_its_small_image_is_there(self, engine):
        first, second = self.check(engine(True, "\n".join(self.UBUNTU)))
        assert (first.status, first.found) == (OK, "ubuntu 24.04")
        assert second.status == OK and "ubuntu:24.04" in second.found

    def test_its_small_image_is_not_to_be_had(self, engine):
        _, found = self.check(engine(False))
        assert found.status == WARNING and "ubuntu:24.04" in found.found

    def test_a_small_image_of_another_distribution(self, engine):
        _, found = self.check(engine(True, "ID=debian\nVERSION_ID=12\n"), "debian:12-slim")
        assert found.status == WARNING and "debian 12" in found.found

    def test_a_distribution_without_a_known_small_image(self, engine):
        (found,) = base_image.distribution(engine(True), ("ID=rhel", "VERSION_ID=9"), "")
        assert found.status == WARNING and "--slim-image" in found.advice


def test_an_image_for_another_machine(tmp_path):
    program = tmp_path / "docker"
    program.write_text("#!/bin/sh\necho s390x\n")
    program.chmod(0o755)
    engine = Engine(client=DockerClient(program=program, builder=BUILT_IN))
    (found,) = base_image.findings(engine, "odd:1", "")
    assert found.status == FAULT and "s390x" in found.found

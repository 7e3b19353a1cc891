"""The program that tells whether an engine runs a platform; tests/image/release/test_platforms.py has real engines."""

import platform
import subprocess

import pytest

from utils.docker.platforms import exit_program, require_runnable
from utils.host.errors import UsageError
from utils.targets.platforms import PLATFORMS

NATIVE = next(name for name, each in PLATFORMS.items() if each.machine == platform.machine())


class Engine:
    """Runs programs of its own platform, and of the emulated ones."""

    def __init__(self, emulated=()):
        self.emulated, self.imported = emulated, []

    def native_platform(self):
        return "linux/amd64"

    def runs_import(self, tar, program):
        listed = subprocess.run(["tar", "-tvf", tar], capture_output=True, text=True, check=True).stdout
        self.imported.append(listed)
        return bool(self.emulated)


def test_program_exits_with_0(tmp_path):
    program = tmp_path / "exit"
    program.write_bytes(exit_program(NATIVE))
    program.chmod(0o755)
    assert subprocess.run([program]).returncode == 0


def test_program_of_arm64_exits_with_0_under_qemu(tmp_path):
    program = tmp_path / "exit"
    program.write_bytes(exit_program("linux/arm64"))
    program.chmod(0o755)
    assert subprocess.run(["qemu-aarch64-static", program]).returncode == 0


def test_platform_of_the_engine_needs_no_container():
    engine = Engine()
    require_runnable(engine, "linux/amd64")
    assert not engine.imported


def test_platform_that_the_engine_runs_in_a_container():
    engine = Engine(emulated=["linux/arm64"])
    require_runnable(engine, "linux/arm64")
    assert engine.imported[0].startswith("-rwxr-xr-x") and engine.imported[0].endswith(" exit\n")


def test_platform_that_nothing_here_runs():
    with pytest.raises(UsageError, match=r"linux/arm64: .* \(linux/amd64\) cannot run.*qemu-aarch64"):
        require_runnable(Engine(), "linux/arm64")

import pytest

from utils.host.errors import UsageError
from utils.options.build_spec import parse_arguments
from utils.options.release_choice import InstalledGpu
from utils.targets import drivers
from utils.targets.drivers import FORWARD, MINOR, NATIVE, check_driver, choose_release, compatibility, parse_driver
from utils.targets.releases import SECURITY_FLOOR, find_release, list_releases, usable_releases


@pytest.mark.parametrize(
    ("driver", "release", "how"),
    [
        ("535.104", "25.07", MINOR),
        ("535.104", "25.08", FORWARD),  # CUDA 13 begins: 580 is its lowest
        ("525.60", "24.05", MINOR),
        ("550.54.15", "24.05", NATIVE),
        ("520.61", "24.01", FORWARD),
        ("470.57", "24.01", FORWARD),
        ("469.9", "24.01", None),
        ("580.82", "25.08", MINOR),
        ("580.95.05", "25.10", NATIVE),
        ("610.43.02", "26.07", NATIVE),
        ("610.43.01", "26.07", MINOR),
        ("615.61", "26.08", NATIVE),
        ("615.60", "26.08", MINOR),
        ("535.104", "24.03", None),  # its CUDA is not verified
    ],
)
def test_how_a_driver_runs_a_release(driver, release, how):
    assert compatibility(parse_driver(driver), find_release(release)) == how


@pytest.mark.parametrize(
    ("driver", "release", "words"),
    [
        ("535.104", "25.07", ["minor-version compatible", "25.08, 26.03, 26.06"]),
        ("610.43.02", "26.08", ["minor-version compatible", "newest native one is 26.07"]),
    ],
)
def test_the_newest_release_that_any_gpu_can_run_is_chosen(driver, release, words):
    choice = choose_release(driver)
    assert choice.release.name == release
    assert all(word in choice.reason for word in words), choice.reason


def test_a_release_above_the_security_floor_lacks_nothing():
    assert "lacks" not in choose_release("610.43.02").reason
    assert max(drivers.SECURITY_RELEASES) == SECURITY_FLOOR


@pytest.mark.parametrize("text", ["", "abc", "53.1", "535.", "535.104.05.1", "535,104", "-535.1"])
def test_what_is_no_version_is_refused(text):
    with pytest.raises(UsageError, match=r"as nvidia-smi shows it, such as 535\.104"):
        parse_driver(text)


def test_a_driver_too_old_for_anything_is_refused():
    with pytest.raises(UsageError, match="install 525 or newer"):
        choose_release("520.61.05")
    with pytest.raises(UsageError, match=r"cannot run --release 24\.03 \(CUDA not verified\); choose 25\.07"):
        check_driver("535.104", find_release("24.03"))


def test_forward_compatibility_is_for_those_who_name_the_release():
    assert "data-center GPUs only" in check_driver("535.104", find_release("26.06"))


POSITIONAL = ["model", "tokenizer", "labels.json"]


def test_options():
    assert parse_arguments([*POSITIONAL, "--device", "gpu", "--driver", "535.104"]).target.release.name == "25.07"
    assert parse_arguments([*POSITIONAL, "--device", "gpu"]).target.release.name == list(usable_releases())[-1]
    with pytest.raises(UsageError, match="add --device gpu"):
        parse_arguments([*POSITIONAL, "--driver", "535.104"])
    chosen = parse_arguments([*POSITIONAL, "--device", "gpu"], InstalledGpu(driver="580.95.05")).target
    assert chosen.release.name == "26.08" and "driver 580.95.05" in chosen.release_reason
    assert parse_arguments(POSITIONAL).target.release_reason == "", "a CPU image has no driver"


@pytest.mark.parametrize(
    ("script", "version"),
    [("echo 550.54.15; echo 550.54.15", "550.54.15"), ("echo no device >&2; exit 9", None), ("true", None)],
)
def test_nvidia_smi_is_asked(tmp_path, monkeypatch, script, version):
    """A stand-in for nvidia-smi: there is no GPU here."""
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert drivers.installed_driver() == version


def test_no_nvidia_smi(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert drivers.installed_driver() is None


def test_the_list_has_every_release_newest_first():
    heading, *rows, default = list_releases().splitlines()
    assert heading.split()[:2] == ["release", "Triton"]
    assert [row.split()[0] for row in rows] == list(usable_releases())[::-1]
    assert all(len(row.split()) >= 11 for row in rows)
    assert SECURITY_FLOOR in default


def test_listing_wins_over_what_else_is_asked(capsys):
    with pytest.raises(SystemExit) as ended:
        parse_arguments(["--list-releases"])
    assert not ended.value.code
    assert capsys.readouterr().out == list_releases() + "\n"

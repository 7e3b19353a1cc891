import stat

import pytest

from utils.host.errors import UsageError
from utils.targets import gpus
from utils.targets.releases import default_release, find_release


@pytest.mark.parametrize(("text", "numbers"), [(None, ()), ("all", ()), ("0", (0,)), ("2,0", (2, 0))])
def test_gpus_by_number(text, numbers):
    assert gpus.parse_gpus(text, "gpu") == numbers


@pytest.mark.parametrize("text", ["", "0,", "a", "0,0", "-1", "0 1", "ALL"])
def test_what_names_no_gpus_is_refused(text):
    with pytest.raises(UsageError, match=r"--gpus is .*all, or numbers"):
        gpus.parse_gpus(text, "gpu")


@pytest.mark.parametrize("text", ["all", "0"])
def test_a_model_on_the_cpu_has_no_gpus(text):
    with pytest.raises(UsageError, match="add --device gpu"):
        gpus.parse_gpus(text, "cpu")


@pytest.mark.parametrize(
    ("capability", "release", "serves"),
    [
        ("6.1", "24.12", True),
        ("6.1", "24.11", True),  # its row says nothing: that of 24.10 does
        ("6.1", "25.01", False),
        ("7.0", "25.06", False),
        ("7.5", "25.05", True),
        ("5.2", "24.01", False),
        ("9.0", "24.01", True),
        ("10.0", "24.12", False),
        ("12.0", "25.01", True),
        ("12.1", "26.08", True),
    ],
)
def test_a_release_serves_some_gpus(capability, release, serves):
    assert gpus.serves(find_release(release), gpus.parse_capability(capability)) is serves
    if serves:
        gpus.check_capability(capability, find_release(release))
    elif capability != "5.2":
        with pytest.raises(UsageError, match=rf"--release {release} does not serve.*{capability}; choose one from"):
            gpus.check_capability(capability, find_release(release))


def test_the_way_out_is_reported():
    with pytest.raises(UsageError, match=r"from 24\.01 to 24\.12, or --device cpu"):
        gpus.check_capability("6.0", find_release(default_release()))
    with pytest.raises(UsageError, match="below what any release serves"):
        gpus.check_capability("5.2", find_release(default_release()))


@pytest.mark.parametrize("text", ["8", "8.6.1", "x", "", "8,6", "sm_86"])
def test_what_is_no_compute_capability_is_refused(text):
    with pytest.raises(UsageError, match="is none; write it as"):
        gpus.parse_capability(text)


@pytest.mark.parametrize(
    ("script", "found"),
    [
        ("echo 8.6", "8.6"),
        ("printf '9.0\\n7.5\\n10.0\\n'", "7.5"),
        ("echo no devices; exit 9", ""),
        ("echo '[N/A]'", ""),
    ],
)
def test_the_lowest_capability_that_nvidia_smi_tells(tmp_path, monkeypatch, script, found):
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert gpus.installed_capability() == found


def test_without_nvidia_smi_nothing_is_known(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert gpus.installed_capability() == ""

import re

import pytest

from utils.host.errors import UsageError
from utils.options.release_choice import warn_of_doubts
from utils.targets.releases import (
    OLDEST_SUPPORTED,
    PREFERRED_OPSET,
    SECURITY_FLOOR,
    default_release,
    find_release,
    list_releases,
    usable_releases,
)


def test_the_names_are_in_order_and_the_newest_is_the_default():
    names = list(usable_releases())
    assert len(names) >= 29
    assert names == sorted(set(names))
    assert all(re.fullmatch(r"\d\d\.(0[1-9]|1[0-2])", name) for name in names)
    assert default_release() == names[-1]


def test_the_default_has_the_security_fixes():
    assert SECURITY_FLOOR in usable_releases()
    assert default_release() >= SECURITY_FLOOR


@pytest.mark.parametrize(
    ("name", "triton", "opset", "max_ir", "ubuntu", "python"),
    [
        ("24.01", "2.42.0", 18, 9, "22.04", "3.10"),
        ("24.08", "2.49.0", 18, 10, "22.04", "3.10"),  # a newer opset would do; the exporter's own is preferred
        ("26.06", "2.70.0", 18, 13, "24.04", "3.12"),
    ],
)
def test_rows(name, triton, opset, max_ir, ubuntu, python):
    release = find_release(name)
    assert (release.triton, release.opset, release.max_ir, release.python) == (triton, opset, max_ir, python)
    assert release.triton_image.endswith(f"/tritonserver:{name}-py3")
    assert release.slim_image == f"ubuntu:{ubuntu}"


def test_every_row_is_fit_for_a_build():
    for name, release in usable_releases().items():
        assert release.name == name
        assert 15 <= release.opset <= PREFERRED_OPSET
        assert release.max_ir >= 8
        assert re.fullmatch(r"3\.\d+", release.python)
        assert re.fullmatch(r"\d+\.\d+\.\d+", release.onnxruntime)


@pytest.mark.parametrize("name", ["23.12", "23.10", "22.12", "00.00"])
def test_a_release_before_24_01_is_refused_in_one_sentence(name):
    with pytest.raises(UsageError) as refusal:
        find_release(name)
    assert refusal.value.exit_code == 2
    message = str(refusal.value)
    assert f"--release {name} is not supported" in message
    assert OLDEST_SUPPORTED in message and SECURITY_FLOOR in message and "\n" not in message


def test_the_oldest_row_is_the_oldest_supported_release():
    assert next(iter(usable_releases())) == OLDEST_SUPPORTED


# 24.02 came without the ONNX Runtime backend, 26.11 has not been measured.
@pytest.mark.parametrize("name", ["24.02", "26.11", "26.6", "99.01", "", "latest"])
def test_a_release_that_cannot_serve_is_refused_with_those_that_can(name):
    with pytest.raises(UsageError) as refusal:
        find_release(name)
    assert refusal.value.exit_code == 2
    assert f"--release {name!r}" in str(refusal.value)
    assert ", ".join(usable_releases()) in str(refusal.value)


def test_nothing_is_in_doubt_of_the_default():
    release = find_release(default_release())
    assert (release.name, release.onnxruntime, release.cuda, release.driver) == ("26.08", "1.28.0", "13.4.1", "615.61")
    assert release.doubts(of_gpu=True) == ()


@pytest.mark.parametrize(
    ("name", "doubts", "gpu_doubts"),
    [
        ("24.08", ("ONNX Runtime is 1.19.0 or 1.18.1 (sources disagree)",), 1),
        ("24.11", ("Python is 3.12 by one source and 3.10 by two",), 1),
        ("25.02", (), 1),  # CUDA 12.8.0.38 and 12.8.0.038 are the same
        ("25.08", (), 2),  # ONNX Runtime 1.23.0 and 1.23.0+commit are the same
        ("26.06", (), 0),  # a driver "see-cuda-compat" names none
    ],
)
def test_doubts_are_read_from_the_table(name, doubts, gpu_doubts):
    release = find_release(name)
    assert release.doubts(of_gpu=False) == doubts
    assert len(release.doubts(of_gpu=True)) == len(doubts) + gpu_doubts


def test_what_the_columns_cannot_tell_is_in_one_of_its_own():
    """A note that sources disagree, without a word of it where the release is chosen, would be lost."""
    notes = [find_release(name).unverified for name in ("24.11", "24.12", "26.02")]
    assert all(notes)


@pytest.mark.parametrize(("device", "text"), [("cpu", False), ("gpu", True)])
def test_a_gpu_is_in_doubt_for_a_gpus_image_only(capsys, device, text):
    warn_of_doubts(find_release("26.03"), device)
    line = "warning: Triton 26.03: lowest GPU compute capability is not verified; see docs/releases.md\n"
    assert capsys.readouterr().err == (line if text else "")


def test_the_list_says_what_is_not_verified():
    lines = {line.split()[0]: line for line in list_releases().splitlines()}
    assert lines["release"].endswith("not verified")
    assert lines["26.08"].endswith(" -")
    assert "ONNX Runtime is 1.19.0 or 1.18.1 (sources disagree)" in lines["24.08"]

import re

import pytest

from utils.errors import UsageError
from utils.releases import PREFERRED_OPSET, SECURITY_FLOOR, default_release, find_release, usable_releases


def test_the_names_are_in_order_and_the_newest_is_the_default():
    names = list(usable_releases())
    assert len(names) > 30
    assert names == sorted(set(names))
    assert all(re.fullmatch(r"\d\d\.(0[1-9]|1[0-2])", name) for name in names)
    assert default_release() == names[-1]


def test_the_default_has_the_security_fixes():
    assert SECURITY_FLOOR in usable_releases()
    assert default_release() >= SECURITY_FLOOR


@pytest.mark.parametrize(
    ("name", "triton", "opset", "max_ir", "ubuntu", "python"),
    [
        ("22.12", "2.29.0", 17, 8, "20.04", "3.8"),  # the opset is what its ONNX Runtime takes
        ("23.03", "2.32.0", 18, 8, "20.04", "3.8"),
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


# 24.02 came without the ONNX Runtime backend, 26.11 has not been measured.
@pytest.mark.parametrize("name", ["24.02", "26.11", "26.6", "99.01", "", "latest"])
def test_a_release_that_cannot_serve_is_refused_with_those_that_can(name):
    with pytest.raises(UsageError) as refusal:
        find_release(name)
    assert refusal.value.exit_code == 2
    assert f"--release {name!r}" in str(refusal.value)
    assert ", ".join(usable_releases()) in str(refusal.value)

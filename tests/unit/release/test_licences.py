import zipfile

import pytest

from utils.release import licences

CLASSIFIER = "Classifier: License :: OSI Approved"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("apache-2.0", "Apache-2.0"),
        ("MIT", "MIT"),
        ("Apache-2.0 OR BSD-2-Clause", "Apache-2.0 OR BSD-2-Clause"),
        ("my own (2026)", "LicenseRef-my-own--2026-"),
        ("", ""),
    ],
)
def test_names_become_those_of_spdx(name, expected):
    assert licences.spdx(name) == expected


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["License-Expression: MIT-CMU", "License: other"], "MIT-CMU"),
        (["License: BSD-3-Clause"], "BSD-3-Clause"),
        (["License: the whole text", "        in many lines", f"{CLASSIFIER} :: BSD License"], "BSD License"),
        ([f"{CLASSIFIER} :: MIT License", "Classifier: Topic :: Text"], "MIT License"),
        ([], ""),
    ],
)
def test_the_licence_of_a_wheel_is_that_of_its_metadata(tmp_path, lines, expected):
    wheel = tmp_path / "own-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("own/__init__.py", "")
        archive.writestr("own-1.0.dist-info/METADATA", "\n".join(["Metadata-Version: 2.4", "Name: own", *lines, ""]))
    assert licences.of_wheel(wheel) == expected

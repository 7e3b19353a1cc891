"""LICENSE, and NOTICE beside what the images install."""

import hashlib
import re
from importlib.metadata import metadata

import pytest
from packaging.requirements import Requirement

from utils import ROOT

DIGEST = "0ffddef9e48f8a09aed5caf2d44f7ba1c1be2d9b8e0a6f693b1635b2d5566645"  # words of the text, one blank between them
ROWS = dict(
    re.findall(r"(?m)^\| ([a-z0-9_]+) \| ([A-Za-z0-9.-]+) \| .*(?:task|--).* \|$", (ROOT / "NOTICE").read_text())
)


def served_packages():
    files = [
        ROOT / "requirements-serving.txt",
        ROOT / "requirements/api.txt",
        *(ROOT / "model_repository").glob("*/requirements*.txt"),
    ]
    lines = [line.partition("#")[0].strip() for file in files for line in file.read_text().splitlines()]
    return {Requirement(line).name for line in lines if line}


def test_the_licence_is_the_standard_text():
    text = " ".join((ROOT / "LICENSE").read_text().split())
    assert hashlib.sha256(text.encode()).hexdigest() == DIGEST


def test_every_served_package_has_a_row():
    assert set(ROWS) == served_packages()


@pytest.mark.parametrize(
    "package",
    [
        "numpy",
        "tokenizers",
        "onnxruntime",
        "pillow",
        "starlette",
        "anyio",
        "idna",
        "typing_extensions",
        "uvicorn",
        "click",
        "h11",
        "httptools",
        "grpcio",
        "protobuf",
    ],
)
def test_its_licence_is_that_of_the_package(package):
    """openvino and exceptiongroup are not in the environment of the tests: their rows are checked by name only."""
    known = metadata(package)
    classifiers = [line for line in known.get_all("Classifier", []) if line.startswith("License")]
    declared = " ".join([known.get("License-Expression") or known.get("License") or "", *classifiers])
    assert ROWS[package].partition("-")[0] in declared

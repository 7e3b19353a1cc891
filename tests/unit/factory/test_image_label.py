"""The image label that names the labels: whole, or bounded where it would not fit on a command line."""

import hashlib
import json
import subprocess

import pytest

from utils.factory.report import LONGEST_IMAGE_LABEL, image_label

# execve(2): the longest single argument, with its terminating zero.
MAX_ARG_STRLEN = 131_072


@pytest.mark.parametrize("texts", [(), ("a",), ('a "b"\n$c', "д"), tuple(map(str, range(1000)))])
def test_few_labels_are_all_there(texts):
    assert json.loads(image_label(texts)) == list(texts)


@pytest.mark.parametrize(
    "texts",
    [
        tuple(f"item {number:04d} {'x' * 90}" for number in range(1400)),
        tuple(f"concept {number}" for number in range(20_000)),
        ("x" * (LONGEST_IMAGE_LABEL + 1),),
        ("д" * LONGEST_IMAGE_LABEL,),
    ],
    ids=["1,400 long ones", "20,000", "one", "bytes, not characters"],
)
def test_many_are_a_count_and_a_digest(texts):
    whole = json.dumps(texts, ensure_ascii=False).encode()
    assert json.loads(image_label(texts)) == {"count": len(texts), "sha256": hashlib.sha256(whole).hexdigest()}


def test_the_longest_label_fits_on_a_command_line():
    texts = ("x" * (LONGEST_IMAGE_LABEL - 4),)
    argument = f"--label=triton-image-factory.labels={image_label(texts)}"
    assert LONGEST_IMAGE_LABEL < len(argument) < MAX_ARG_STRLEN
    assert subprocess.run(["true", argument], check=False).returncode == 0

"""served.json: the answers of the proof."""

import pytest

from utils.host.errors import BootProofError
from utils.proof.golden import TensorValue, texts
from utils.proof.served import SERVED_FILE, ServedRow, read_served, write_served


def test_answers_are_read_as_they_were_written(tmp_path):
    outputs = {"y": texts(["ü", b"\xff"]), "scores": TensorValue(datatype="FP32", shape=(2,), data=(0.1, 0.25))}
    rows = (ServedRow(outputs=outputs, difference=1e-7),)
    write_served(rows, tmp_path)
    assert read_served(tmp_path) == rows


def test_a_tree_without_a_proof_has_none(tmp_path):
    assert read_served(tmp_path) == ()


def test_a_damaged_file_is_refused(tmp_path):
    (tmp_path / SERVED_FILE).write_text("[{}]")
    with pytest.raises(BootProofError, match="prove the tree again"):
        read_served(tmp_path)

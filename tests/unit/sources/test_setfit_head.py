"""The head of a SetFit folder: the safetensors form, its labels, and a pickle without permission.

Pickles are loaded in tests/server/test_setfit.py, by the process that loads them in a build.
"""

import json

import numpy as np
import pytest
from safetensors.numpy import save_file

from utils import ROOT
from utils.host.errors import SourceError
from utils.sources.setfit_head import CONVERT, is_setfit, read_setfit


@pytest.fixture
def folder(tmp_path):
    """`folder(rows, labels=..., metadata=..., **tensors)`: with coefficients [rows, 4] and what is given."""

    def make(rows=3, labels=("a", "b", "c"), metadata=None, **tensors):
        found = {"coefficients": np.arange(rows * 4).reshape(rows, 4), "intercept": np.arange(rows), **tensors}
        save_file(
            {name: each.astype("f4") for name, each in found.items() if each is not None},
            tmp_path / "model_head.safetensors",
            metadata,
        )
        config = {"labels": list(labels) if labels else None, "normalize_embeddings": True}
        (tmp_path / "config_setfit.json").write_text(json.dumps(config))
        return tmp_path

    return make


def test_a_row_for_each_label(folder):
    found = read_setfit(folder(), allow_pickle=False)
    assert (found.labels, found.normalize, found.head.function) == (("a", "b", "c"), True, "softmax")
    assert found.head.coefficients[2] == [8, 9, 10, 11] and found.head.intercept == [0, 1, 2]
    assert not found.head.is_multi_label


def test_one_row_stands_for_two_labels(folder):
    """The sigmoid of z is the softmax of 0 and z."""
    head = read_setfit(folder(rows=1, labels=("no", "yes")), allow_pickle=False).head
    assert head.coefficients == [[0, 0, 0, 0], [0, 1, 2, 3]] and head.intercept == [0, 0]


def test_rows_of_several_labels(folder):
    head = read_setfit(folder(metadata={"multi_label": "true"}), allow_pickle=False).head
    assert head.is_multi_label and len(head.classes) == 3


def test_the_digest_is_that_of_the_file(folder):
    first = read_setfit(folder(), allow_pickle=False).head.digest
    assert first != read_setfit(folder(intercept=np.ones(3)), allow_pickle=False).head.digest


def test_a_config_without_labels_has_none(folder):
    assert read_setfit(folder(labels=None), allow_pickle=False).labels == ()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"intercept": np.ones(2)}, r"intercept \[2\]; a SetFit head has coefficients \[C, D\] and intercept \[C\]"),
        ({"intercept": None}, "has coefficients"),
        ({"scale": np.ones(3)}, r"scale \[3\]"),
        ({"metadata": {"multi_label": "yes"}}, "has multi_label = 'yes' in its metadata"),
        ({"metadata": {"temperature": "2"}}, "has temperature = '2' in its metadata"),
        ({"labels": ("a", "b")}, "has 2 labels, and the classes of the head are 0, 1, 2"),
        ({"labels": (1, 2, 3)}, "must be a list of texts, or null"),
    ],
)
def test_another_form_is_refused(folder, change, message):
    with pytest.raises(SourceError, match=message):
        read_setfit(folder(**change), allow_pickle=False)


def test_a_pickle_is_refused_with_the_command_that_replaces_it(tmp_path):
    assert not is_setfit(tmp_path)
    (tmp_path / "model_head.pkl").write_bytes(b"")
    assert is_setfit(tmp_path)
    with pytest.raises(SourceError, match=r"is a pickle \(model_head.pkl\).*add --allow-pickle") as refusal:
        read_setfit(tmp_path, allow_pickle=False)
    assert CONVERT in str(refusal.value)
    assert CONVERT in (ROOT / "docs/tasks.md").read_text(encoding="utf-8")

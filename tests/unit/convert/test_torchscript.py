import sys
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest

from utils import ROOT
from utils.convert import torchscript
from utils.convert.reference_model import ReferenceModel
from utils.convert.task import ConversionSpec
from utils.host.errors import ExportError
from utils.repository.pipeline import Graph
from utils.targets.formats import GraphForm
from utils.targets.releases import default_release, find_release
from utils.targets.target import Target
from utils.tasks import TASKS

TASK = TASKS["feature-extraction"]


class Words:
    """A tokenizer: one token a word, its length."""

    pad_token = "_"

    def __call__(self, texts, *, padding, return_tensors, **truncation):
        rows = [[len(word) for word in text.split()] for text in texts]
        longest = max(map(len, rows))
        ids = np.array([row + [0] * (longest - len(row)) for row in rows])
        return {"input_ids": ids, "attention_mask": (ids > 0).astype(np.int64)}


@pytest.fixture
def original():
    """`original(forward)`: a model of that forward function, and what it is asked."""
    import torch

    def make(forward):
        class Model(torch.nn.Module):
            def forward(self, input_ids, attention_mask=None):
                return SimpleNamespace(last_hidden_state=forward(input_ids, attention_mask))

        texts = ("one", "one three five", "some more words than the others have")
        return ReferenceModel(
            model=Model(), tokenizer=Words(), max_length=None, labels=(), texts=texts, outputs=({}, {}, {})
        )

    return make


def export(original, folder, input_dtype="INT64"):
    target = Target(release=find_release(default_release()), form=GraphForm(input_dtype=input_dtype))
    spec = ConversionSpec(task=TASK, target=target, max_batch_size=4)
    return torchscript.export_graph(original, folder, spec, type_ids=False)


def doubled(input_ids, attention_mask):
    return (2.0 * input_ids * attention_mask).unsqueeze(-1).expand(-1, -1, 3)


@pytest.mark.parametrize(("id_type", "dtype"), [("INT64", np.int64), ("INT32", np.int32)])
def test_batch_and_length_stay_free(original, tmp_path, id_type, dtype):
    graph = export(original(doubled), tmp_path, id_type)
    assert [str(tensor) for tensor in (*graph.inputs, *graph.outputs)] == [
        f"input_ids {id_type} [-1]",
        f"attention_mask {id_type} [-1]",
        "last_hidden_state FP32 [-1, 3]",
    ]
    run = torchscript.open_session(graph)
    for rows, length in ((1, 1), (1, 9), (5, 2)):
        ids = np.full((rows, length), 7, dtype)
        (states,) = run({"attention_mask": np.ones_like(ids), "input_ids": ids})
        assert states.tolist() == np.full((rows, length, 3), 14.0).tolist()


def test_the_saved_file_names_no_path_of_this_machine(original, tmp_path):
    """torch quotes its records of source positions in the error of a run, which the server sends to the client."""
    import torch

    graph = export(original(doubled), tmp_path)
    with zipfile.ZipFile(graph.path) as archive:
        assert archive.testzip() is None
        records = {name: archive.read(name) for name in archive.namelist()}
    assert any(name.endswith(".py") for name in records), "the code is still there"
    for name, record in records.items():
        for path in (str(ROOT), sys.prefix, str(tmp_path), "site-packages"):
            assert path.encode() not in record, name
    with pytest.raises(RuntimeError, match='File "code/__torch__') as refusal:
        torch.jit.load(graph.path)(torch.zeros(2, 3), torch.zeros(5, 7))
    assert str(ROOT) not in str(refusal.value) and sys.prefix not in str(refusal.value)


@pytest.mark.parametrize("fault", [RuntimeError("two\nlines"), TypeError("no tensor")])
def test_a_model_that_cannot_be_traced_is_reported_in_one_sentence(original, tmp_path, fault):
    def failing(*_):
        raise fault

    with pytest.raises(ExportError) as refusal:
        export(original(failing), tmp_path)
    assert " ".join(str(fault).split()) in str(refusal.value)
    assert "Model cannot be traced to TorchScript" in str(refusal.value) and "\n" not in str(refusal.value)
    assert not (tmp_path / "model.pt").exists()


def test_what_a_trace_froze_is_found_by_parity(original, tmp_path):
    """A model that looks at its values answers otherwise once traced: the saved file must be what parity runs."""

    def branching(input_ids, attention_mask):
        factor = 1.0 if int(input_ids.max()) > 4 else -1.0
        return (factor * input_ids).unsqueeze(-1)

    graph = export(original(branching), tmp_path)
    assert isinstance(graph, Graph)
    (states,) = torchscript.open_session(graph)({"input_ids": np.array([[1]]), "attention_mask": np.array([[1]])})
    assert states.tolist() == [[[1.0]]], "eager PyTorch says -1"

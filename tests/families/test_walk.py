"""Every model type the exporter knows, built small: converted and in parity, or refused with the right sentence."""

import os
import re
import time

import numpy as np
import pytest

from tests.families import build, document
from tests.families.conversion import convert_folder, golden_logits
from tests.families.outcomes import OUTCOMES
from utils.convert import conversion, exporter
from utils.convert.conversion import predict
from utils.host.errors import ExportError, FactoryError
from utils.sources.model_config import read_model_config
from utils.sources.supported_types import OF_OPTIMUM, OF_TEXTS, SUPPORTED
from utils.targets.formats import GraphForm
from utils.targets.releases import default_release, find_release
from utils.tasks import TASKS

FIGURES: dict[str, str] = {}


@pytest.mark.parametrize("export_task", list(SUPPORTED))
def test_the_table_without_imports_is_the_exporters_own_list(export_task):
    known = exporter.supported_types(export_task)
    assert list(SUPPORTED[export_task]) == [name for name in known if name not in OF_OPTIMUM]


@pytest.mark.parametrize("export_task", list(OF_TEXTS))
def test_the_exporter_knows_every_type_that_is_served(export_task):
    assert set(OF_TEXTS[export_task]) <= set(exporter.supported_types(export_task))


def test_no_reason_is_given_for_a_type_that_no_exporter_knows():
    assert set(OF_OPTIMUM) <= set(exporter.supported_types("text-classification"))


def test_every_type_has_an_outcome():
    assert sorted(OUTCOMES) == exporter.supported_types("text-classification")


@pytest.mark.long(
    "bert", "distilbert", "roberta", "xlm-roberta", "deberta-v2", "bart", "gpt2", "llama", "modernbert", "mpnet"
)
@pytest.mark.parametrize("model_type", [name for name, outcome in OUTCOMES.items() if not outcome.code])
def test_converts_in_parity(tmp_path, capfd, model_type):
    outcome = OUTCOMES[model_type]
    model = build.make_model(model_type, tmp_path / "model")
    if outcome.single:
        with pytest.raises(FactoryError, match=r"each text alone agrees.*build with MAX_BATCH_SIZE 1") as raised:
            convert_folder(model, tmp_path / "batched")
        assert raised.value.exit_code == 5
    began = time.process_time()
    conversion = convert_folder(model, tmp_path / "out", max_batch_size=1 if outcome.single else 8)
    seconds = time.process_time() - began
    assert {tensor.name for tensor in conversion.graph.inputs} == set(outcome.inputs)
    predicted = predict(read_model_config(model), TASKS["text-classification"], GraphForm())
    assert {tensor.name for tensor in predicted.inputs} == set(outcome.inputs), "--dry-run must tell what a build gives"
    assert np.ptp(golden_logits(conversion), axis=0).min() > 1e-2, "golden texts must get different answers"
    difference = re.findall(r"max abs diff (\S+),", capfd.readouterr().err)[-1]
    FIGURES[model_type] = f"{difference} | {seconds:.1f}"


@pytest.mark.parametrize("model_type", [name for name, outcome in OUTCOMES.items() if outcome.code])
def test_is_refused(tmp_path, model_type):
    outcome = OUTCOMES[model_type]
    model = build.make_weightless(model_type, tmp_path / "model")  # all are refused before any weights are read
    with pytest.raises(FactoryError) as raised:
        convert_folder(model, tmp_path / "out")
    assert outcome.sentence in str(raised.value)
    assert raised.value.exit_code == outcome.code


def test_longformers_graph_still_fails(tmp_path):
    """It is refused by name; should a later exporter write a graph that runs, this fails and the row can go."""
    import onnxruntime
    from transformers import AutoModelForSequenceClassification

    model = AutoModelForSequenceClassification.from_pretrained(build.make_model("longformer", tmp_path / "model"))
    release = find_release(default_release())
    graph = exporter.export(model.eval(), tmp_path / "out", export_task="text-classification", release=release)
    session = onnxruntime.InferenceSession(str(graph), providers=["CPUExecutionProvider"])
    for length in (3, 16, 40):  # below, equal to and above the attention window
        arrays = {each.name: np.full((1, length), 7) for each in session.get_inputs()}
        arrays |= {name: np.eye(1, length, dtype=np.int64) for name in arrays if name == "global_attention_mask"}
        with pytest.raises(Exception, match="ONNXRuntimeError"):
            session.run(None, arrays)


def test_a_graph_that_takes_more_than_text_is_refused(tmp_path, monkeypatch):
    """Were a type missing in the table of names, its graph would tell."""
    monkeypatch.setattr(conversion, "require_supported", lambda *_: None)
    model = build.make_weightless("lilt", tmp_path / "model")
    with pytest.raises(ExportError, match=r"bbox"):
        conversion.predict(read_model_config(model), TASKS["text-classification"], GraphForm())


def test_the_documents_tell_the_outcomes():
    if os.environ.get("UPDATE_MODELS") == os.environ.get("LONG_FORMS") == "1":
        document.update(FIGURES)
    hint = "run UPDATE_MODELS=1 ./run_tests.sh --long tests/families"
    text = document.DOCUMENT.read_text(encoding="utf-8")
    expected = document.document({}, document.rows_by_5(), document.rows_by_dynamo())
    assert document.without_figures(text) == document.without_figures(expected), hint
    assert document.sources_block() in document.SOURCES.read_text(encoding="utf-8"), hint

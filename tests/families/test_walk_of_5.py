"""The types of the exporter dynamo, built small by transformers 5: converted and in parity, or refused by name."""

import json
import os

import pytest

from tests.families import document
from tests.in_version_5 import printed_by
from utils.host.errors import ExportError
from utils.sources.supported_types import BY_DYNAMO, OF_TEXTS, ONLY_VERSION_5, SUPPORTED, UNSERVABLE, require_supported
from utils.targets.exporters import DYNAMO

IS_LONG = os.environ.get("WALK_ALL") == "1"
ALL = BY_DYNAMO["text-classification"]
# An encoder and a decoder that only transformers 5 has, and two types whose masks are made in other ways.
TYPES = ALL if IS_LONG else ("eurobert", "gemma3_text", "modernbert-decoder", "nomic_bert")
# Largest difference of a logit, relative to the largest logit.
ALLOWED = 1e-4


@pytest.fixture(scope="module")
def walked(tmp_path_factory):
    """{type: what became of it}, and {"lacking": ...}; all conversions run in one process of transformers 5."""
    printed = printed_by("tests.families.by_dynamo", tmp_path_factory.mktemp("walk"), *TYPES)
    lines = [json.loads(line) for line in printed.splitlines() if line.startswith("{")]
    return {line.pop("type", "lacking"): line for line in lines}


@pytest.mark.parametrize("model_type", TYPES)
def test_converts_in_parity(walked, model_type):
    found = walked[model_type]
    assert found.get("rows") == (1 if model_type in document.SINGLE_BY_DYNAMO else 8), found
    assert found["difference"] < ALLOWED
    assert {"input_ids", "attention_mask"} <= {*found["inputs"]}


def test_transformers_5_has_a_class_for_each_type_and_task(walked):
    assert not any(walked["lacking"]["lacking"].values())


@pytest.mark.parametrize("model_type", UNSERVABLE[DYNAMO])
def test_is_refused_by_name(model_type):
    with pytest.raises(ExportError, match=rf"model type '{model_type}' cannot be served: .*; use another model type"):
        require_supported(model_type, "text-classification", DYNAMO)


def test_the_types_that_transformers_4_lacks():
    from transformers import CONFIG_MAPPING

    assert not {*ONLY_VERSION_5} & {*CONFIG_MAPPING}
    by_optimum = {name for types in {**SUPPORTED, **OF_TEXTS}.values() for name in types}
    only_dynamo = {name for types in BY_DYNAMO.values() for name in types} - by_optimum
    assert {name for name in only_dynamo if name not in CONFIG_MAPPING} <= {*ONLY_VERSION_5}


def test_the_page_shows_the_walk(walked):
    """UPDATE_MODELS=1 WALK_ALL=1 writes the table; every other run compares the types it converted."""
    figures = {name: each for name, each in walked.items() if name != "lacking"}
    if os.environ.get("UPDATE_MODELS") == "1" and IS_LONG:
        document.update_by_dynamo(figures)
    rows = document.rows_by_dynamo()
    assert sorted(rows) == sorted([*ALL, *UNSERVABLE[DYNAMO]]), (
        "run UPDATE_MODELS=1 ./run_tests.sh --long tests/families"
    )
    for name, each in figures.items():
        assert document.without_figures(rows[name]) == document.without_figures(document.row_by_dynamo(name, each))

"""Checkpoints written by transformers 5, with no numeric field at its default, against the logits of transformers 5.

Compared are the reference model as it is loaded here, and the converted graph with the served tokenization.
"""

import json
import os

import numpy as np
import pytest

from tests.families import document
from tests.families.conversion import convert_folder, graph_logits
from tests.families.outcomes import OUTCOMES
from tests.in_version_5 import printed_by
from utils.convert import reference_model, tokenization
from utils.host.errors import FactoryError, SourceError
from utils.tasks import TASKS

IS_LONG = os.environ.get("WALK_ALL") == "1"
SOME = ("llama", "modernbert", "qwen3_moe")
# Types whose config changed in version 5; WALK_ALL=1 takes all that are served.
CHANGED = ("gemma2", "gemma3", "gpt_neox", "phi", "phi3", *SOME) if IS_LONG else SOME
ALL = tuple(sorted(name for name in OUTCOMES if not OUTCOMES[name].code))
TYPES = ALL if IS_LONG else SOME
# A conversion takes ten seconds, and a type with rotary angles that are served has five folders.
CONVERTED = ALL if IS_LONG else ("modernbert",)
VARIANTS = ("", "-dynamic", "-linear", "-llama3", "-longrope", "-one-expert", "-yarn")
FIGURES: dict[str, document.By5] = {}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Folders of all types; made by transformers 5 in its own environment, with this environment's torch."""
    place = tmp_path_factory.mktemp("written")
    printed_by("tests.families.written_by_5", place, *TYPES)
    return place


def folders_of(place, model_type):
    """The type's folder and those with scaled rotary angles."""
    return [folder for name in VARIANTS if (folder := place / f"{model_type}{name}").is_dir()]


def by_5(folder):
    """Texts, and the logits of version 5, [texts, labels]."""
    content = json.loads((folder / "by_5.json").read_text(encoding="utf-8"))
    return content["texts"], np.array(content["logits"])


def refusal_of(folder):
    """(exit code, sentence, setting) of a folder that is refused: version 4 has no scaling for ModernBERT, and the
    exporter fails with one expert a token. None for the others."""
    model_type, _, variant = folder.name.partition("-")
    if model_type == "modernbert" and variant:
        return 3, rf"written by transformers 5.*rope_type '{variant}' for full_attention", f"rope_type '{variant}'"
    if variant == "one-expert":
        return 4, "exporting Qwen3MoeForSequenceClassification .* failed", "num_experts_per_tok 1"
    return None


def logits_here(folder, texts):
    task = TASKS["text-classification"]
    config = reference_model.load_config(folder)
    model, tokenizer = reference_model.load_model(folder, config, task), tokenization.load_tokenizer(folder, config)
    rows = reference_model.pytorch_outputs(model, tokenizer, texts, None, names=task.graph_outputs)
    return np.array([row["logits"] for row in rows])


@pytest.mark.parametrize("model_type", TYPES)
def test_the_reference_model_answers_as_version_5(written, model_type):
    folders = folders_of(written, model_type)
    assert folders
    for folder in folders:
        texts, logits = by_5(folder)
        refusal = refusal_of(folder)
        if refusal and refusal[0] == SourceError.exit_code:
            with pytest.raises(SourceError, match=refusal[1]):
                logits_here(folder, texts)
            continue
        assert np.abs(logits_here(folder, texts) - logits).max() < 1e-4, folder.name


@pytest.mark.parametrize("model_type", CONVERTED)
def test_the_converted_graph_answers_as_version_5(written, tmp_path, model_type):
    size = 1 if OUTCOMES[model_type].single else 4
    figures, refusals = {}, {}
    for folder in folders_of(written, model_type):
        form = folder.name.removeprefix(model_type).lstrip("-") or "unscaled"
        texts, logits = by_5(folder)
        if refusal := refusal_of(folder):
            with pytest.raises(FactoryError, match=refusal[1]) as raised:
                convert_folder(folder, tmp_path / folder.name, max_batch_size=size)
            assert raised.value.exit_code == refusal[0]
            refusals[form] = f"{refusal[2]} (exit code {refusal[0]})"
            continue
        conversion = convert_folder(folder, tmp_path / folder.name, max_batch_size=size)
        figures[form] = float(np.abs(graph_logits(conversion, texts) - logits).max())
    assert max(figures.values()) < 1e-4, figures
    FIGURES[model_type] = document.By5(differences=figures, refusals=refusals)


@pytest.mark.parametrize("model_type", CHANGED)
def test_the_answers_differ_without_the_translation(written, model_type, monkeypatch):
    """Version 4 loads such a file and answers wrongly, or fails."""
    monkeypatch.setattr(reference_model, "for_version_4", lambda content, _: content)
    monkeypatch.setattr(reference_model, "ATTENTION", {})
    texts, logits = by_5(written / model_type)
    try:
        answers = logits_here(written / model_type, texts)
    except SourceError:
        return
    assert np.abs(answers - logits).max() > 1e-3


def test_the_page_shows_the_walk():
    """UPDATE_MODELS=1 with --long writes the table; every other run compares the types it converted."""
    if os.environ.get("UPDATE_MODELS") == "1" and IS_LONG:
        document.update_by_5(FIGURES)
    rows = document.rows_by_5()
    assert sorted(rows) == sorted(ALL), "run UPDATE_MODELS=1 ./run_tests.sh --long tests/families"
    for model_type, figures in FIGURES.items():
        assert document.without_figures(rows[model_type]) == document.without_figures(
            document.row_by_5(model_type, figures)
        )

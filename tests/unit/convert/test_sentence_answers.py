"""How sentence-transformers itself is called: the folder it gets, and what becomes of its failures."""

import json
from dataclasses import replace

import pytest

from tests import tiny_models
from tests.families import build
from utils.convert import reference_model, sentence_answers, tokenization
from utils.convert.types import Folders, ReferenceModel
from utils.host.errors import SourceError
from utils.tasks import TASKS

POOLED = {"modules": {"1_Pooling": {"type": "Pooling", "modes": ["mean"]}}, "normalize": False}
TEXTS = ("The quick brown fox", "I would like my money back, please.")
MODULES = ("Transformer", "Pooling")


def write(file, content):
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(content), encoding="utf-8")


def with_modules(folder, version="5.7.0"):
    """A folder of an embedder, as `version` writes it."""
    write(folder / "modules.json", [
        {"idx": place, "name": str(place), "path": "" if kind == "Transformer" else f"{place}_{kind}",
         "type": f"sentence_transformers.models.{kind}"}
        for place, kind in enumerate(MODULES)
    ])  # fmt: skip
    write(folder / "1_Pooling/config.json", {"word_embedding_dimension": 32, "pooling_mode_mean_tokens": True})
    write(folder / "config_sentence_transformers.json", {"__version__": {"sentence_transformers": version}})
    return folder


def loaded(folder, tokenizer=None):
    task = TASKS["feature-extraction"]
    config = reference_model.load_config(folder)
    model, words = reference_model.load_model(folder, config, task), tokenization.load_tokenizer(folder, config)
    outputs = reference_model.pytorch_outputs(model, words, TEXTS, 128, names=task.graph_outputs)
    folders = Folders(model=folder, tokenizer=tokenizer or folder, max_length=None)
    return ReferenceModel(
        model=model, tokenizer=words, max_length=128, labels=(), texts=TEXTS, outputs=tuple(outputs), folders=folders
    )


@pytest.mark.long("5.7.0")
@pytest.mark.parametrize("version", ["5.7.0", "6.2.0"])
def test_a_failure_inside_the_library_is_one_sentence(tmp_path, version):
    """It loads a Transformer whose output has another name than the one that Pooling reads."""
    folder = with_modules(tiny_models.bert(tmp_path / "model"), version)
    of_text = {"text": {"method": "forward", "method_output_name": "last_hidden_state"}}
    write(
        folder / "sentence_bert_config.json",
        {"transformer_task": "feature-extraction", "modality_config": of_text, "module_output_name": "states"},
    )
    with pytest.raises(SourceError, match=r"cannot answer 'The quick brown fox' \(KeyError: 'token_embeddings'\)"):
        sentence_answers.answers("SentenceTransformer", loaded(folder), POOLED, TEXTS)


@pytest.mark.long("5.7.0")
@pytest.mark.parametrize("version", ["5.7.0", "6.2.0"])
def test_a_folder_that_the_library_cannot_load_is_named(tmp_path, version):
    folder = with_modules(tiny_models.bert(tmp_path / "model"), version)
    (folder / "1_Pooling/config.json").write_text("{}", encoding="utf-8")
    with pytest.raises(SourceError, match="cannot load it") as error:
        sentence_answers.answers("SentenceTransformer", loaded(folder), POOLED, TEXTS)
    assert str(folder) in str(error.value)


@pytest.mark.long("5.7.0")
@pytest.mark.parametrize("version", ["5.7.0", "6.2.0"])
def test_another_tokenizer_leaves_the_models_own_files_alone(tmp_path, version):
    """GPT-2's and RoBERTa's tokenizers save vocab.json and merges.txt; links to them would be written through."""
    folder = with_modules(build.make_model("roberta", tmp_path / "model"), version)
    other = build.make_model("roberta", tmp_path / "other")
    vocabulary = json.loads((other / "vocab.json").read_text(encoding="utf-8"))
    write(other / "vocab.json", {**vocabulary, "zebra": len(vocabulary)})
    (other / "tokenizer.json").unlink()  # it is read in place of vocab.json
    before = {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}
    answers = sentence_answers.answers("SentenceTransformer", loaded(folder, other), POOLED, TEXTS)
    assert [each.shape for each in answers] == [(32,), (32,)]
    assert {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()} == before


@pytest.mark.long
def test_version_6_replays_the_outputs_of_a_graph_only_for_the_same_ids(tmp_path):
    folder = with_modules(tiny_models.bert(tmp_path / "model"), "6.2.0")
    reference = replace(loaded(folder), is_graph=True)
    doubled = tuple({name: 2 * each for name, each in row.items()} for row in reference.outputs)
    plain = sentence_answers.answers("SentenceTransformer", reference, POOLED, TEXTS)
    twice = sentence_answers.answers("SentenceTransformer", replace(reference, outputs=doubled), POOLED, TEXTS)
    assert all(abs(2 * one - two).max() < 1e-6 for one, two in zip(plain, twice, strict=True))
    reference.tokenizer.add_tokens(["quick brown"])
    with pytest.raises(SourceError, match="gives text 0 the token ids"):
        sentence_answers.answers("SentenceTransformer", reference, POOLED, TEXTS)

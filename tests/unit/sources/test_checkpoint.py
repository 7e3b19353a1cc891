"""Certain and uncertain faults; the table of damages is in tests/bad_input."""

import contextlib
import json

import pytest

from tests.small_files import HEAD, write_safetensors
from utils.host.errors import SourceError
from utils.sources.checkpoint import (
    HEADS,
    Checkpoint,
    check_class,
    check_head,
    embedding_rows,
    read_checkpoint,
    read_index,
    weight_bytes,
)
from utils.sources.model_config import ModelConfig
from utils.sources.requirements import SourceRequirements
from utils.sources.supported_types import SUPPORTED


def config(model_type="bert", head_size=2, **changes):
    return ModelConfig(file=None, model_type=model_type, head_size=head_size, problem_type="regression", **changes)


def checkpoint(tmp_path, shapes):
    return Checkpoint(source=tmp_path / "model.safetensors", shapes=shapes)


def test_one_file_has_priority_over_shards_and_pickles(tmp_path):
    (tmp_path / "pytorch_model.bin").write_bytes(b"never looked at")
    (tmp_path / "model.safetensors.index.json").write_text("never looked at")
    write_safetensors(tmp_path / "model.safetensors", HEAD)
    assert read_checkpoint(tmp_path, allow_pickle=False).shapes == HEAD


def test_weights_in_two_formats_count_once(tmp_path):
    sizes = {"model-1.safetensors": 600, "model-2.safetensors": 400, "pytorch_model.bin": 900, "tokenizer.json": 5000}
    for name, size in sizes.items():
        (tmp_path / name).write_bytes(bytes(size))
    assert weight_bytes(tmp_path) == 1000
    assert weight_bytes(tmp_path / "pytorch_model.bin") == 900


def test_shards_are_read_through_their_index(tmp_path):
    names = list(HEAD)
    for number, name in enumerate(names):
        write_safetensors(tmp_path / f"{number}.safetensors", {name: HEAD[name]})
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {name: f"{n}.safetensors" for n, name in enumerate(names)}}))
    assert read_checkpoint(tmp_path, allow_pickle=False).shapes == HEAD
    assert read_index(index).shapes == dict.fromkeys(HEAD)


@pytest.mark.parametrize("name", ["training_args.bin", "optimizer.pt", "README.md"])
def test_missing_weights_are_refused(tmp_path, name):
    (tmp_path / name).touch()
    with pytest.raises(SourceError, match=r"has no weights; model\.safetensors .* beside config\.json"):
        read_checkpoint(tmp_path, allow_pickle=False)


def test_an_allowed_pickle_is_not_inspected(tmp_path):
    import torch

    torch.save({}, tmp_path / "pytorch_model.bin")
    with pytest.raises(SourceError, match=r"are a pickle \(pytorch_model\.bin\).*--allow-pickle"):
        read_checkpoint(tmp_path, allow_pickle=False)
    assert read_checkpoint(tmp_path, allow_pickle=True) is None


@pytest.mark.parametrize(
    ("model_type", "shapes"),
    [
        ("bert", HEAD),
        ("bert", {"module.classifier.weight": None}),
        ("roberta", {"classifier.out_proj.weight": (2, 8), "classifier.dense.weight": (8, 8)}),
        ("gpt2", {"score.weight": (2, 8)}),
        ("big_bird", {"classifier.out_proj.weight": (2, 8)}),
        ("xlm", {"sequence_summary.summary.weight": (2, 8)}),
        ("perceiver", {"nobody.knows": (1,)}),
        ("of-the-future", {}),
    ],
)
def test_existing_and_unknown_heads_are_accepted(tmp_path, model_type, shapes):
    check_head(checkpoint(tmp_path, shapes), config(model_type), SourceRequirements())


@pytest.mark.parametrize(
    ("model_type", "shapes", "expected"),
    [
        ("bert", {"bert.pooler.dense.weight": (8, 8), "cls.predictions.bias": (8,)}, "no classification head"),
        (
            "distilbert",
            {"pre_classifier.weight": (8, 8), "vocab_projector.weight": (9, 8)},
            "no tensor of 'classifier'",
        ),
        ("gpt2", {"transformer.wte.weight": (8, 8)}, "no tensor of 'score'"),
        ("bart", {"model.shared.weight": None}, "no tensor of 'classification_head'"),
        ("roberta", {"classifier.out_proj.weight": (3, 8)}, "has 3 outputs (classifier.out_proj.weight)"),
        ("qwen2", {"score.weight": (1, 8)}, "has 1 outputs (score.weight) but config.json has 2"),
    ],
)
def test_missing_and_other_heads_are_refused(tmp_path, model_type, shapes, expected):
    with pytest.raises(SourceError) as refusal:
        check_head(checkpoint(tmp_path, shapes), config(model_type), SourceRequirements())
    assert expected in str(refusal.value)


@pytest.mark.parametrize(
    ("export_task", "architectures", "refused"),
    [
        ("text-classification", ("BertForTokenClassification",), True),
        ("token-classification", ("BertForSequenceClassification",), True),
        ("token-classification", ("BertForMultipleChoice",), True),
        ("token-classification", ("BertForTokenClassification",), False),
        ("token-classification", (), False),
        ("token-classification", ("OurOwnTagger",), False),
        ("text-classification", ("BertForTokenClassification", "BertForSequenceClassification"), False),
        ("feature-extraction", ("BertForTokenClassification",), False),
    ],
)
def test_a_head_of_another_task_with_the_same_name_is_refused(export_task, architectures, refused):
    """Both classes of BERT name their head `classifier`."""
    expected = "class Bert.*needs a class ending in For.*Classification.*--task"
    with pytest.raises(SourceError, match=expected) if refused else contextlib.nullcontext():
        check_class(config(architectures=architectures), SourceRequirements(export_task=export_task))


def test_a_reranker_that_is_a_language_model_is_refused_with_the_form_that_is_served():
    causal = config(architectures=("Qwen3ForCausalLM",))
    with pytest.raises(SourceError, match=r"Qwen3ForCausalLM .* yes or no, .* ending in -seq-cls\), and send texts in"):
        check_class(causal, SourceRequirements(sentences=True))
    check_class(causal, SourceRequirements(sentences=True, export_task="feature-extraction"))


def test_a_base_model_has_no_head_for_tokens(tmp_path):
    shapes = {"transformer.wte.weight": (8, 8), "score.weight": (2, 8)}
    with pytest.raises(SourceError, match="no tensor of 'classifier', the head of a gpt2"):
        check_head(checkpoint(tmp_path, shapes), config("gpt2"), SourceRequirements(export_task="token-classification"))


def test_another_task_has_another_head(tmp_path):
    check_head(checkpoint(tmp_path, {}), config(), SourceRequirements(export_task="feature-extraction"))


@pytest.mark.parametrize("export_task", HEADS)
def test_the_table_of_heads_equals_transformers(export_task):
    """Each type's class has a module with that name, except perceiver."""
    import dis
    import inspect

    import transformers
    from transformers.models.auto import modeling_auto

    mappings = {"text-classification": "SEQUENCE_CLASSIFICATION", "token-classification": "TOKEN_CLASSIFICATION"}
    classes = getattr(modeling_auto, f"MODEL_FOR_{mappings[export_task]}_MAPPING_NAMES")
    known = {each: head for head, types in HEADS[export_task].items() for each in types.split()}
    for model_type in SUPPORTED[export_task]:
        if model_type == "perceiver":
            continue
        makers = [vars(each)["__init__"] for each in getattr(transformers, classes[model_type]).mro()
                  if "__init__" in vars(each) and each is not object]  # fmt: skip
        made = {line.argval for each in makers for line in dis.get_instructions(inspect.unwrap(each))
                if line.opname == "STORE_ATTR"}  # fmt: skip
        assert known[model_type.replace("_", "-")] in made, model_type


def test_the_number_of_tokens_of_a_model(tmp_path):
    assert embedding_rows(checkpoint(tmp_path, HEAD), config(vocab_size=99)) == 6
    assert embedding_rows(checkpoint(tmp_path, {"a.position_embeddings.weight": (7, 4)}), config(vocab_size=99)) == 99
    assert embedding_rows(checkpoint(tmp_path, {"wte.weight": None}), config(vocab_size=99)) == 99
    assert embedding_rows(None, config()) is None

"""The row of feature extraction: its settings, its golden requests with parameters, and the size of an embedding."""

import json
from pathlib import Path

import pytest

from tests import tiny_models
from tests.sentence_folders import NORMALIZE, dense, embedder, pooling, write
from utils.host.errors import SourceError, UsageError
from utils.repository.pipeline import Graph
from utils.repository.tensors import TensorSpec
from utils.sources.model_config import read_model_config
from utils.tasks import feature_extraction

TASK = feature_extraction.TASK
OWN = {"prompts": {"query": "search: "}, "default_prompt_name": "query"}


def resolved(folder, **options):
    write(folder / "config.json", {"model_type": "bert", **options.pop("config", {})})
    return TASK.resolve_settings(read_model_config(folder), (), options)


def graph(size):
    return Graph(path=Path(), inputs=(), outputs=(TensorSpec(name="states", dtype="FP32", dims=(-1, size)),))


def test_golden_requests_prove_every_prompt_and_size(tmp_path):
    folder = embedder(tmp_path, [pooling("mean")], OWN)
    examples = TASK.further(resolved(folder, dimensions=(16, 8)))
    chosen = [{name: each[name] for name in TASK.parameters if name in each} for each in examples]
    assert chosen[::2] == [{"prompt_name": "query"}, {"dimensions": 8}, {"prompt_name": "query", "dimensions": 8}]
    assert TASK.further(resolved(tmp_path / "plain")) == []


def test_the_graph_reads_a_text_behind_its_prompt(tmp_path):
    settings = resolved(embedder(tmp_path, [pooling("mean")], OWN))
    assert TASK.texts(settings, {"text_input": "a"}) == ("search: a",)
    assert TASK.texts(settings, {"text_input": "a", "prompt_name": "document"}) == ("a",)
    assert TASK.texts(resolved(tmp_path, prompt_name="document"), {"text_input": "a"}) == ("a",)


def test_a_text_without_a_token_beside_its_prompt_is_no_golden_request(tmp_path):
    """The server refuses it. Such a tokenizer has no special tokens."""
    from transformers import PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast(tokenizer_object=tiny_models.byte_level_bpe(), pad_token="<pad>")
    settings = resolved(embedder(tmp_path / "out", [pooling("mean", include_prompt=False)], OWN))
    assert [TASK.fits(tokenizer, settings, 64, {"text_input": text}) for text in ("", "fox jumps")] == [False, True]
    settings = resolved(embedder(tmp_path / "in", [pooling("mean")], OWN))
    assert TASK.fits(tokenizer, settings, 64, {"text_input": ""})


@pytest.mark.parametrize(
    ("chain", "options", "size"),
    [
        ([pooling("mean")], {}, 32),
        ([pooling("mean", "max"), NORMALIZE], {}, 64),
        ([pooling("mean"), dense(32, 24), dense(24, 12)], {}, 12),
        ([pooling("mean")], {"dimensions": (8,)}, 8),
        ([pooling("mean")], {"dimensions": (99,)}, 32),
        ([pooling("mean")], {"dimensions": (16, 8)}, -1),
    ],
)
def test_the_size_is_that_of_the_last_module_or_the_numbers_kept(tmp_path, chain, options, size):
    settings = resolved(embedder(tmp_path, chain), **options)
    assert TASK.outputs(settings, graph(32))[0].dims == (size,)


def test_sizes_that_an_embedding_does_not_have_are_refused(tmp_path):
    settings = resolved(embedder(tmp_path, [pooling("mean"), dense(32, 24)]), dimensions=(32, 16))
    with pytest.raises(UsageError, match="--dimensions 32 is more than the 24 numbers"):
        TASK.outputs(settings, graph(-1))


@pytest.mark.parametrize(("name", "modes"), [("Qwen2ForCausalLM", ("lasttoken",)), ("BertModel", ("mean",))])
def test_a_plain_folder_is_pooled_as_the_library_pools_it(tmp_path, name, modes):
    tmp_path.joinpath("model").mkdir()
    settings = resolved(tmp_path / "model", config={"architectures": [name]})
    assert settings["modules"] == {"1_Pooling": {"type": "Pooling", "modes": modes}}


def test_an_activation_that_is_not_served_is_refused(tmp_path):
    folder = embedder(tmp_path, [pooling("mean"), dense(32, 8, "torch.nn.modules.activation.PReLU")])
    with pytest.raises(SourceError, match=r"'2_Dense' .*PReLU, which is not served; .*Tanh"):
        resolved(folder)


def test_settings_are_json_values(tmp_path):
    settings = resolved(embedder(tmp_path, [pooling("mean"), dense(32, 8)], OWN), dimensions=(8, 4))
    assert json.loads(json.dumps(settings))["dimensions"] == [8, 4]

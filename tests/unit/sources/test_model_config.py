import json

import pytest

from utils.host.errors import SourceError
from utils.sources.model_config import SCORE_FUNCTIONS, check_max_length, read_model_config


def folder_with(tmp_path, content):
    text = content if isinstance(content, str) else json.dumps(content)
    (tmp_path / "config.json").write_text(text, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("content", "head_size", "problem_type"),
    [
        ({"id2label": {"0": "a", "1": "b", "2": "c"}}, 3, "single_label_classification"),
        ({"num_labels": 5}, 5, "single_label_classification"),
        ({"_num_labels": 4}, 4, "single_label_classification"),
        ({}, 2, "single_label_classification"),
        ({"id2label": {"0": "a"}, "num_labels": 7}, 1, "regression"),
        ({"num_labels": 1}, 1, "regression"),
        ({"num_labels": 1, "problem_type": "multi_label_classification"}, 1, "multi_label_classification"),
        ({"num_labels": 3, "problem_type": "multi_label_classification"}, 3, "multi_label_classification"),
        ({"num_labels": 3, "problem_type": None}, 3, "single_label_classification"),
        ({"num_labels": 3, "problem_type": "regression"}, 3, "regression"),
    ],
)
def test_the_head_size_equals_transformers(tmp_path, content, head_size, problem_type):
    folder = folder_with(tmp_path, {"model_type": "bert", **content})
    config = read_model_config(folder)
    assert (config.model_type, config.head_size, config.problem_type) == ("bert", head_size, problem_type)
    assert config.file == folder / "config.json"


@pytest.mark.parametrize("problem_type", SCORE_FUNCTIONS)
def test_every_problem_type_with_scores_can_be_read(tmp_path, problem_type):
    folder = folder_with(tmp_path, {"model_type": "bert", "problem_type": problem_type})
    assert read_model_config(folder).problem_type == problem_type


def test_a_byte_order_mark_does_no_harm(tmp_path):
    (tmp_path / "config.json").write_bytes(b'\xef\xbb\xbf{"model_type": "bert"}')
    assert read_model_config(tmp_path).model_type == "bert"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("{", ["not valid JSON", "save the model again"]),
        ("[" * 100_000, ["not valid JSON"]),
        ("[]", ["has no model_type", "save_pretrained()"]),
        ("null", ["has no model_type"]),
        ("{}", ["has no model_type"]),
        ('{"model_type": 3}', ["has no model_type"]),
        ('{"model_type": "bert", "num_labels": 0}', ["num_labels 0", "from 1 to"]),
        ('{"model_type": "bert", "num_labels": "3"}', ["num_labels '3'"]),
        ('{"model_type": "bert", "num_labels": true}', ["num_labels True"]),
        (
            '{"model_type": "bert", "problem_type": "ranking"}',
            ["problem_type 'ranking'", "single_label_classification, multi_label_classification, regression"],
        ),
        ('{"model_type": "bert", "problem_type": ["regression"]}', ["problem_type", "regression"]),
        ('{"model_type": "bert", "problem_type": {}}', ["problem_type", "regression"]),
    ],
)
def test_refusals_name_the_file_and_the_fault(tmp_path, content, expected):
    folder = folder_with(tmp_path, content)
    with pytest.raises(SourceError) as refusal:
        read_model_config(folder)
    assert refusal.value.exit_code == 3
    for words in [str(folder / "config.json"), *expected]:
        assert words in str(refusal.value)


def test_a_folder_without_a_config_and_a_file_are_refused(tmp_path):
    with pytest.raises(SourceError, match=r"has no config\.json"):
        read_model_config(tmp_path)
    (tmp_path / "model.bin").touch()
    with pytest.raises(SourceError, match=r"model\.bin' is not a folder"):
        read_model_config(tmp_path / "model.bin")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"auto_map": {"AutoModel": "code.Model"}}, ["trust_remote_code", "auto_map"]),
        ({"quantization_config": {"quant_method": "gptq"}}, ["quantized weights (gptq)"]),
        ({"quantization_config": [1]}, ["quantized weights (quantization_config)"]),
        ({"id2label": {}}, ["an id2label without labels"]),
        ({"id2label": ["a"]}, ["an id2label without labels"]),
        ({"id2label": {"a": 0}}, ["the key 'a' in id2label", "0, 1, 2"]),
    ],
)
def test_values_that_transformers_cannot_load_are_refused(tmp_path, content, expected):
    with pytest.raises(SourceError) as refusal:
        read_model_config(folder_with(tmp_path, {"model_type": "bert", **content}))
    assert all(words in str(refusal.value) for words in expected)


def test_code_is_named_by_models_of_types_that_transformers_5_has_since(tmp_path):
    """Qwen2 is older than the code that published models of it name, which makes their attention bidirectional."""
    code = {"auto_map": {"AutoModel": "modeling.Model"}}
    accepted = read_model_config(folder_with(tmp_path, {"model_type": "eurobert", **code}))
    assert accepted.model_type == "eurobert"
    with pytest.raises(SourceError, match="needs custom code of the model"):
        read_model_config(folder_with(tmp_path, {"model_type": "qwen2", **code}))


@pytest.mark.parametrize("place", ["", "0_Transformer/"])
def test_an_adapter_is_refused(tmp_path, place):
    """Alone in a folder, or in the module of a sentence-transformers folder that holds the model."""
    (tmp_path / place).mkdir(exist_ok=True)
    (tmp_path / f"{place}adapter_config.json").write_text("{}")
    with pytest.raises(SourceError, match=rf"'{place}adapter_config\.json', the adapter of .*merge_and_unload\(\)"):
        read_model_config(tmp_path)


@pytest.mark.parametrize("adapter", ["{}", '{"peft_type": "LORA"}', "not json"])
def test_an_adapter_beside_whole_weights_is_refused(tmp_path, adapter):
    """With peft installed, transformers adds the adapter to the weights; without, it does not."""
    folder = folder_with(tmp_path, {"model_type": "bert"})
    (folder / "adapter_config.json").write_text(adapter)
    with pytest.raises(SourceError, match=r"the adapter .* beside the weights of a model; merge it into its base"):
        read_model_config(folder)


@pytest.mark.parametrize(
    ("content", "longest"),
    [
        ({"model_type": "bert", "max_position_embeddings": 512}, 512),
        ({"model_type": "roberta", "max_position_embeddings": 514, "pad_token_id": 1}, 512),
        ({"model_type": "xlm_roberta", "max_position_embeddings": 514}, 512),
        ({"model_type": "bert"}, None),
        ({"model_type": "deberta-v2", "max_position_embeddings": 512}, None),
        ({"model_type": "bert", "max_position_embeddings": "512"}, 512),
        ({"model_type": "roberta", "max_position_embeddings": 514.0, "pad_token_id": 1.0}, 512),
    ],
)
def test_the_longest_text_if_certain(tmp_path, content, longest):
    config = read_model_config(folder_with(tmp_path, content))
    assert config.longest_text == longest
    check_max_length(config, None)
    check_max_length(config, longest)
    if longest is None:
        check_max_length(config, 10**6)
    else:
        with pytest.raises(SourceError, match=f"{longest + 1} tokens are more .*--max-length .*at most {longest}"):
            check_max_length(config, longest + 1)

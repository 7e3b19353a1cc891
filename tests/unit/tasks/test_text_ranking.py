import json

import pytest

from utils.convert.activations import ACTIVATION
from utils.host.errors import SourceError, UsageError
from utils.sources.model_config import read_model_config
from utils.tasks.text_ranking import TASK

SIGMOID, IDENTITY = "torch.nn.modules.activation.Sigmoid", "torch.nn.modules.linear.Identity"


@pytest.fixture
def resolve_settings(tmp_path):
    def make(options=(), outputs=1, **content):
        labels = {str(index): f"LABEL_{index}" for index in range(outputs)}
        (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert", "id2label": labels, **content}))
        return TASK.resolve_settings(read_model_config(tmp_path), (), dict(options))

    return make


@pytest.mark.parametrize(
    ("content", "activation"),
    [
        ({}, "sigmoid"),
        ({"sentence_transformers": {"activation_fn": SIGMOID, "version": "5.1.2"}}, "sigmoid"),
        ({"sentence_transformers": {"activation_fn": IDENTITY}}, "none"),
        ({"sentence_transformers": {}}, "sigmoid"),
        ({"sbert_ce_default_activation_function": IDENTITY}, "none"),
        ({"sbert_ce_default_activation_function": None}, "sigmoid"),
        (
            {"sentence_transformers": {"activation_fn": SIGMOID}, "sbert_ce_default_activation_function": IDENTITY},
            "sigmoid",
        ),
    ],
)
def test_the_models_own_activation_is_found_as_sentence_transformers_does(resolve_settings, content, activation):
    assert resolve_settings(**content) == {"activation": activation}


@pytest.mark.parametrize(
    ("named", "activation"),
    [
        (IDENTITY, "none"),
        ("torch.nn.modules.activation.Tanh", "tanh"),
        ("torch.nn.modules.activation.ReLU", "relu"),
        (None, "sigmoid"),
    ],
)
def test_the_activation_of_version_6_stands_in_a_file_of_its_own(resolve_settings, tmp_path, named, activation):
    write(tmp_path, "modules.json", [{"idx": 0, "path": "", "type": "sentence_transformers.base.modules.Transformer"}])
    write(tmp_path, "config_sentence_transformers.json", {"model_type": "CrossEncoder", "activation_fn": named})
    assert resolve_settings() == {"activation": activation}


def test_the_limit_and_the_case_of_its_texts_are_read(resolve_settings, tmp_path):
    write(tmp_path, "modules.json", [{"type": "sentence_transformers.base.modules.Transformer"}])
    write(tmp_path, "config_sentence_transformers.json", {"model_type": "CrossEncoder"})
    write(tmp_path, "sentence_bert_config.json", {"max_seq_length": 60, "do_lower_case": True})
    assert resolve_settings(max_position_embeddings=48) == {
        "activation": "sigmoid",
        "max_length": 48,
        "lower_case": True,
    }


def test_the_prompts_and_the_usual_one_are_read(resolve_settings, tmp_path):
    write(tmp_path, "modules.json", [{"type": "x.Transformer"}])
    own = {"model_type": "CrossEncoder", "prompts": {"query": "q: ", "none": None}, "default_prompt_name": "query"}
    write(tmp_path, "config_sentence_transformers.json", own)
    prompts = {"query": "q: ", "none": ""}
    assert resolve_settings() == {"activation": "sigmoid", "prompts": prompts, "default_prompt": "query"}
    assert resolve_settings({"prompt_name": "none"})["default_prompt"] == "none"
    with pytest.raises(UsageError, match=r"--prompt-name 'document' .*; choose one of: query, none"):
        resolve_settings({"prompt_name": "document"})
    write(tmp_path, "config_sentence_transformers.json", {"model_type": "CrossEncoder"})
    with pytest.raises(UsageError, match="it has none: leave the option out"):
        resolve_settings({"prompt_name": "query"})


def test_another_default_prompt_and_other_modules_are_refused(resolve_settings, tmp_path):
    write(tmp_path, "modules.json", [{"type": "x.Transformer"}, {"type": "x.LogitScore"}])
    with pytest.raises(SourceError, match=r"SentenceTransformer; this task serves a CrossEncoder"):
        resolve_settings()
    write(tmp_path, "config_sentence_transformers.json", {"model_type": "CrossEncoder"})
    with pytest.raises(SourceError, match=r"has the modules Transformer, LogitScore"):
        resolve_settings()
    write(tmp_path, "modules.json", [{"type": "x.Transformer"}])
    write(tmp_path, "config_sentence_transformers.json", {"model_type": "CrossEncoder", "default_prompt_name": "query"})
    with pytest.raises(SourceError, match="has the default_prompt_name 'query', and its prompts are none; correct"):
        resolve_settings()
    write(tmp_path, "modules.json", [{"type": "x.Router"}])
    with pytest.raises(SourceError, match="has the module Router, which has modules for each kind of text"):
        resolve_settings()


def write(folder, name, content):
    (folder / name).write_text(json.dumps(content))


def test_the_option_stands_above_the_config(resolve_settings):
    assert resolve_settings({"activation": "sigmoid"}, sentence_transformers={"activation_fn": IDENTITY}) == {
        "activation": "sigmoid",
        "score_rule": "option",
    }
    other = {"sentence_transformers": {"activation_fn": "torch.nn.modules.activation.ELU"}}
    assert resolve_settings({"activation": "none"}, **other) == {"activation": "none", "score_rule": "option"}


@pytest.mark.parametrize("named", ["torch.nn.modules.activation.ELU", "their_code.Sigmoid", 7])
def test_another_activation_is_refused_with_the_choice(resolve_settings, named):
    with pytest.raises(
        SourceError, match=r"names the activation .* is not served; choose with --activation"
    ) as refusal:
        resolve_settings(sentence_transformers={"activation_fn": named})
    assert repr(named) in str(refusal.value)


def test_the_default_for_a_head_of_more_outputs_is_its_logits(resolve_settings):
    assert resolve_settings(outputs=3) == {"activation": "none"}
    assert resolve_settings(outputs=3, sentence_transformers={"activation_fn": SIGMOID}) == {"activation": "sigmoid"}


def test_an_unknown_activation_is_refused(resolve_settings):
    assert [ACTIVATION.value(name) for name in ("sigmoid", "none")] == ["sigmoid", "none"]
    with pytest.raises(UsageError, match="--activation 'Sigmoid' is not known; choose one of: sigmoid, softmax, none"):
        ACTIVATION.value("Sigmoid")
    with pytest.raises(
        UsageError, match="'softmax' is not for --task text-ranking; choose one of: sigmoid, none, tanh"
    ):
        resolve_settings({"activation": "softmax"})

"""Answers of the libraries that users have: built by one command, served by the real Triton, equal to theirs.

sentence-transformers' own encode and predict run in a process of their own, from the folder alone: how they are called
during a build has no part in it.
"""

import json
import shutil

import numpy as np
import pytest

from tests import tiny_models
from tests.server.task_requests import ask, build, by_library
from utils import ROOT
from utils.host.build_tree import BUILD

TEXTS = ["I would like my money back", "помогите мне", "[SEP] fox [MASK][PAD] lazy 𒀀", "", "word " * 400]
PAIRS = [*zip(TEXTS, reversed(TEXTS), strict=True), ("The quick fox", ""), ("", "jumps"), ("[SEP]", "[CLS] a")]
USERS_CODE = """
import json, sys
sys.path.append(sys.argv[1])
import sentence_transformers
model = getattr(sentence_transformers, sys.argv[2])(sys.argv[3], device="cpu")
ask = model.encode if hasattr(model, "encode") else model.predict
texts, choices = json.loads(sys.argv[4]), json.loads(sys.argv[5])
print(json.dumps([[ask([each], **choice)[0].tolist() for each in texts] for choice in choices]))
"""


def users_answers(name, folder, texts, choices=({},)):
    """For each choice of arguments what the class `name` of sentence-transformers gives for each text by itself."""
    answers = by_library(USERS_CODE, name, folder, json.dumps(texts), json.dumps(choices))
    return list(map(np.array, answers))


def write(folder, name, content):
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text(json.dumps(content))


def with_modules(folder, kinds, **own):
    """A folder of sentence-transformers, with these keys in its own config."""
    places = {"Transformer": "", "Pooling": "1_Pooling", "Normalize": "2_Normalize"}
    modules = "sentence_transformers.models."
    write(folder, "modules.json", [
        {"idx": place, "name": str(place), "path": places[kind], "type": modules + kind}
        for place, kind in enumerate(kinds)
    ])  # fmt: skip
    write(folder, "1_Pooling/config.json", {"word_embedding_dimension": 32, "pooling_mode_mean_tokens": True})
    write(folder, "config_sentence_transformers.json", own)
    return folder


@pytest.fixture
def serve_built(request, serve_repository):
    """`serve_built(folder, task, *options)`: (address, name) of the built and proven model."""
    name = "test-reference-" + "".join(each if each.isalnum() else "-" for each in request.node.callspec.id)

    def make(folder, task, *options):
        done = build(folder, folder, "-", name, "v1", 4, "--task", task, *options)
        assert done.returncode == 0, done.stderr
        assert "answers equal" in done.stderr
        return serve_repository(BUILD / name / "v1/model_repository").address, name

    yield make
    shutil.rmtree(BUILD / name, ignore_errors=True)


PROMPTS = {"prompts": {"query": "I would like: ", "fox": "quick fox "}, "default_prompt_name": "query"}
RANKERS = {
    "identity": ("bert", {"activation_fn": "torch.nn.modules.linear.Identity", **PROMPTS}, ("--layout", "ensemble")),
    "tanh": ("bert", {"activation_fn": "torch.nn.modules.activation.Tanh", **PROMPTS}, ("--prompt-name", "fox")),
    "relu": ("roberta", {"activation_fn": "torch.nn.modules.activation.ReLU"}, ()),
    "none-named": ("roberta", {}, ()),
    "three-labels": ("bert", {}, ("--layout", "ensemble")),
    "three-labels-fused": ("roberta", {"activation_fn": "torch.nn.modules.activation.Sigmoid"}, ()),
}


@pytest.mark.long("tanh")
@pytest.mark.parametrize("case", RANKERS)
def test_a_ranking_score_is_that_of_predict(tmp_path, serve_built, case):
    """With an empty second text, too: predict takes it for a text, transformers' pipeline for none."""
    family, own, options = RANKERS[case]
    labels = tiny_models.LABELS if case.startswith("three") else ("score",)
    folder = tiny_models.FAMILIES[family](tmp_path / "model", labels=labels)
    with_modules(folder, ["Transformer"], model_type="CrossEncoder", **own)
    of_text = {"text": {"method": "forward", "method_output_name": "logits"}}
    task = {"transformer_task": "sequence-classification", "modality_config": of_text, "module_output_name": "scores"}
    write(folder, "sentence_bert_config.json", task)
    if family == "roberta":
        limit_of_tokenizer(folder, 512)
    address, name = serve_built(folder, "text-ranking", *options)
    usual = {"prompt_name": "fox"} if "--prompt-name" in options else {}
    choices = [(usual, {}), *(({"prompt_name": each},) * 2 for each in own.get("prompts", ()))]
    answers = []
    rights = users_answers("CrossEncoder", folder, PAIRS, [arguments for arguments, _ in choices])
    for scores, (_, parameters) in zip(rights, choices, strict=True):
        right = scores.reshape(len(PAIRS), len(labels))
        assert np.ptp(right) > 1e-2
        for pair, score in zip(PAIRS, right, strict=True):
            inputs = {"text_input": [[pair[0]]], "text_pair": [[pair[1]]]}
            answer = ask("grpc", address, name, inputs, parameters)
            np.testing.assert_allclose(answer["scores"], [score], atol=1e-5, err_msg=repr((parameters, pair))[:100])
        answers.append(right)
    assert len(answers) == 1 or np.abs(answers[1] - answers[2]).max() > 1e-3, "the prompts must differ"


def limit_of_tokenizer(folder, limit):
    """Without one the library asks for more tokens than the model has positions for."""
    config = json.loads((folder / "tokenizer_config.json").read_text())
    write(folder, "tokenizer_config.json", {**config, "model_max_length": limit})


EMBEDDERS = {
    "truncated": (["Transformer", "Pooling"], {"truncate_dim": 8}, ()),
    "normalized-then-truncated": (
        ["Transformer", "Pooling", "Normalize"],
        {"truncate_dim": 5},
        ("--layout", "ensemble"),
    ),
    "longer-than-it-has": (["Transformer", "Pooling", "Normalize"], {"truncate_dim": 99}, ()),
}


@pytest.mark.long
@pytest.mark.parametrize("case", EMBEDDERS)
def test_an_embedding_is_that_of_encode(tmp_path, serve_built, case):
    modules, own, options = EMBEDDERS[case]
    folder = with_modules(tiny_models.bert(tmp_path / "model"), modules, **own)
    address, name = serve_built(folder, "feature-extraction", *options)
    (right,) = users_answers("SentenceTransformer", folder, TEXTS)
    assert right.shape == (len(TEXTS), min(own["truncate_dim"], 32))
    for text, embedding in zip(TEXTS, right, strict=True):
        answer = ask("http", address, name, {"text_input": [[text]]})["embedding"]
        np.testing.assert_allclose(answer, [embedding], atol=1e-4, err_msg=repr(text)[:100])


@pytest.mark.long
def test_an_embedding_of_the_old_layout_is_that_of_encode(tmp_path, serve_repository):
    """The model and its tokenizer in 0_Transformer, below modules.json: before version 2 of the library."""
    folder = with_modules(tiny_models.bert(tmp_path / "model"), ["Transformer", "Pooling"])
    (folder / "0_Transformer").mkdir()
    for file in folder.glob("*"):
        if file.is_file() and file.name not in ("modules.json", "config_sentence_transformers.json"):
            file.rename(folder / "0_Transformer" / file.name)
    modules = json.loads((folder / "modules.json").read_text())
    write(folder, "modules.json", [{**modules[0], "path": "0_Transformer"}, *modules[1:]])
    name = "test-reference-old-layout"
    try:
        done = build(folder, folder, "-", name, "v1", 4, "--task", "feature-extraction")
        assert done.returncode == 0, done.stderr
        address = serve_repository(BUILD / name / "v1/model_repository").address
        answer = ask("http", address, name, {"text_input": [[TEXTS[2]]]})["embedding"]
        (right,) = users_answers("SentenceTransformer", folder, TEXTS[2:3])
        np.testing.assert_allclose(answer, right, atol=1e-4)
    finally:
        shutil.rmtree(BUILD / name, ignore_errors=True)


HEADS = {
    "a-class": ({"problem_type": "single_label_classification"}, ()),
    "by-the-option": ({}, ("--activation", "sigmoid")),
}


@pytest.mark.long("a-class")
@pytest.mark.parametrize("case", HEADS)
def test_one_output_is_scored_as_by_the_pipeline(tmp_path, serve_built, case):
    from transformers import pipeline

    config, options = HEADS[case]
    folder = tiny_models.bert(tmp_path / "model", labels=("toxic",), **config)
    address, name = serve_built(folder, "text-classification", *options)
    users = pipeline("text-classification", model=str(folder), device="cpu")
    right = [users(text, truncation=True)[0]["score"] for text in TEXTS]
    assert len(set(right)) == len(TEXTS) and max(right) < 1
    for text, score in zip(TEXTS, right, strict=True):
        np.testing.assert_allclose(ask("http", address, name, {"text_input": [[text]]})["scores"], [[score]], atol=1e-4)


@pytest.mark.parametrize(
    ("adapter", "words"),
    [
        ({"peft_type": "LORA", "r": 4}, "does not name a base model"),
        ({"peft_type": "PREFIX_TUNING"}, "cannot be merged into its base model"),
        ({}, "has the peft_type None"),
    ],
)
def test_an_adapter_beside_the_weights_that_cannot_be_served_is_refused_at_once(tmp_path, adapter, words):
    """transformers with peft installed would load it, and its base in place of these weights."""
    folder = tiny_models.bert(tmp_path / "model")
    write(folder, "adapter_config.json", adapter)
    done = build(folder, folder, "-", "test-reference-adapter")
    assert (done.returncode, done.stdout) == (3, "")
    assert words in done.stderr.splitlines()[-1]
    assert not (ROOT / "build/test-reference-adapter").exists()

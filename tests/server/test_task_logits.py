"""A classifier served as its graph is, by one command, and the client code that people have for it."""

import json
import re
import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import requests
import tritonclient.grpc as client
from tritonclient.utils import InferenceServerException

from tests import tiny_models, warm_builds
from tests.server.task_requests import build
from utils import ROOT
from utils.host.build_tree import BUILD

NAME = "test-curse"
TEXTS = ["I would like my money back", "помогите мне", "今日はとても良い天気ですね", "🦊 jumps", "a", "word " * 300]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny_models.bert(tmp_path_factory.mktemp("curse") / "model", labels=("clean", "curse"))


@pytest.fixture(scope="module")
def built(model):
    done = build(model, model, "-", NAME, "v1", 8, "--task", "logits")
    assert done.returncode == 0, done.stderr
    yield done
    shutil.rmtree(BUILD / NAME, ignore_errors=True)


@pytest.fixture(scope="module")
def server(built, serve_repository):
    return serve_repository(BUILD / NAME / "v1/model_repository").address


@pytest.fixture(scope="module")
def pytorch(model):
    """PyTorch's logits for token arrays."""
    import torch
    from transformers import AutoModelForSequenceClassification

    original = AutoModelForSequenceClassification.from_pretrained(model).eval()

    def logits(arrays):
        with torch.inference_mode():
            return original(**{name: torch.from_numpy(array) for name, array in arrays.items()}).logits.numpy()

    return logits


@pytest.fixture(scope="module")
def tokenizer(model):
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(model)


def test_the_served_model_is_the_graph_and_was_proven(built):
    assert built.stdout == f"{BUILD / NAME / 'v1/model_repository'}\n"
    assert re.search(r"[2-9]\d golden requests over HTTP and gRPC: answers equal", built.stderr)
    assert [path.name for path in (BUILD / NAME / "v1/model_repository").iterdir()] == [NAME]
    golden = json.loads((BUILD / NAME / "v1/golden.json").read_text(encoding="utf-8"))
    assert {len(row["inputs"]) for row in golden["rows"]} == {3}
    assert {row["inputs"]["input_ids"]["datatype"] for row in golden["rows"]} == {"INT64"}


def predict(address, tokenizer, sentence, length):
    """As clients ask for one text: all three inputs as nested lists, padded to a fixed length, and a softmax."""
    tokens = tokenizer(sentence, padding="max_length", truncation=True, max_length=length, return_tensors="np")
    names = ("input_ids", "attention_mask", "token_type_ids")
    body = {
        "inputs": [
            {"name": name, "shape": [1, length], "datatype": "INT64", "data": tokens[name].tolist()} for name in names
        ]
    }
    url = f"http://{address}/v2/models/{NAME}/versions/1/infer"
    response = requests.post(url, headers={"Content-Type": "application/json"}, data=json.dumps(body), timeout=5)
    assert response.status_code == 200, response.text
    logit = response.json()["outputs"][0]["data"]
    softmax = np.exp(logit) / np.sum(np.exp(logit), axis=-1, keepdims=True)
    return tokens, logit, softmax[1]


@pytest.mark.parametrize("sentence", TEXTS)
@pytest.mark.parametrize("length", [128, 17])
def test_the_documented_request(server, tokenizer, pytorch, sentence, length):
    tokens, logit, positive = predict(server.http, tokenizer, sentence, length)
    expected = pytorch(dict(tokens))[0]
    np.testing.assert_allclose(logit, expected, atol=1e-4)
    powers = np.exp(expected - expected.max())
    assert positive == pytest.approx(powers[1] / powers.sum(), abs=1e-4)


@pytest.mark.parametrize("rows", [2, 5, 8])
def test_batches_of_any_length(server, tokenizer, pytorch, rows):
    texts = [TEXTS[place % len(TEXTS)] for place in range(rows)]
    tokens = tokenizer(texts, padding=True, truncation=True, return_tensors="np")
    np.testing.assert_allclose(infer(server, tokens), pytorch(dict(tokens)), atol=1e-4)


def infer(server, tokens):
    tensors = []
    for name, array in tokens.items():
        tensors.append(client.InferInput(name, list(array.shape), "INT64"))
        tensors[-1].set_data_from_numpy(array)
    with client.InferenceServerClient(server.grpc) as grpc:
        return grpc.infer(NAME, tensors).as_numpy("logits")


@pytest.mark.parametrize("spoil", ["rows", "missing", "unequal"])
def test_a_bad_request_is_refused_and_the_next_answered(server, tokenizer, pytorch, spoil):
    tokens = dict(tokenizer(TEXTS[:1] * (9 if spoil == "rows" else 1), return_tensors="np"))
    if spoil == "missing":
        del tokens["attention_mask"]
    if spoil == "unequal":
        tokens["attention_mask"] = tokens["attention_mask"][:, 1:]
    with pytest.raises(InferenceServerException):
        infer(server, tokens)
    good = tokenizer(TEXTS[:2], padding=True, return_tensors="np")
    np.testing.assert_allclose(infer(server, good), pytorch(dict(good)), atol=1e-4)


def test_an_id_that_the_model_does_not_know_costs_no_other_request_its_answer(server, tokenizer, pytorch):
    """Seven good requests and a bad one at once, thirty times: with dynamic batching they would fail together."""
    good = dict(tokenizer(TEXTS[0], return_tensors="np"))
    bad = {**good, "input_ids": np.full_like(good["input_ids"], 99_999)}

    def attempt(tokens):
        try:
            return infer(server, tokens)
        except InferenceServerException as error:
            return error.message()

    with ThreadPoolExecutor(8) as pool:
        for _ in range(30):
            *answers, refused = pool.map(attempt, [good] * 7 + [bad])
            np.testing.assert_allclose(np.concatenate(answers), np.tile(pytorch(good), (7, 1)), atol=1e-4)
            assert "idx=99999 must be within the inclusive range" in refused


def test_the_example_prints_the_probability_of_the_positive_class(server, model, tokenizer, pytorch):
    example = ROOT / "examples/logits_client.py"
    lines = warm_builds.python(example, NAME, model, *TEXTS, "--url", f"http://{server.http}").splitlines()
    tokens = tokenizer(TEXTS, padding=True, truncation=True, max_length=128, return_tensors="np")
    logits = pytorch(dict(tokens))
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    expected = (powers / powers.sum(axis=-1, keepdims=True))[:, 1]
    printed = [float(line.split()[2]) for line in lines]
    np.testing.assert_allclose(printed, expected, atol=2e-4)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["{model}", "-", "-"], 3, "holds no graph"),
        (["{model}", "{model}", "labels.json"], 2, "--task logits has no labels; give - as ID2LABEL"),
        (["{model}", "{model}", "-", "--output-name", "y"], 2, "this task keeps the names of the graph"),
        (["{model}", "{model}", "-", "--top-k", "1"], 2, "--top-k is not for --task logits"),
    ],
)
def test_what_the_task_does_not_take_is_refused(model, arguments, code, message):
    words = [word.format(model=model) for word in arguments]
    done = build(*words[:3], "test-no-curse", *words[3:], "--task", "logits")
    assert done.returncode == code, done.stderr
    assert message in done.stderr
    assert not (BUILD / "test-no-curse").exists()

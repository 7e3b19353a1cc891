"""Embeddings, from one command to the answers of a real Triton; the right ones are made by transformers and torch."""

import json
import shutil
import urllib.error
import urllib.request

import numpy as np
import pytest
import tritonclient.grpc
import tritonclient.http

from tests import tiny_models
from tests.selection import mostly_long
from tests.server.published import Increase, expected_names
from tests.server.task_requests import build
from utils.host.build_tree import BUILD

TEXTS = ["I would like MY money back", "помогите МНЕ", "今日は 🦊 jumps", "", "  spaces  ", "Word " * 900, "مرحبا"]


def sentence_folder(folder, *, pooling, modules=("Transformer", "Pooling", "Normalize"), **settings):
    """Turns a transformers folder into one of sentence-transformers."""
    chain = [
        {
            "idx": place,
            "name": str(place),
            "path": f"{place}_{kind}" if place else "",
            "type": f"sentence_transformers.models.{kind}",
        }
        for place, kind in enumerate(modules)
    ]
    (folder / "modules.json").write_text(json.dumps(chain))
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling/config.json").write_text(
        json.dumps({"word_embedding_dimension": 32, "pooling_mode_mean_tokens": False, **pooling})
    )
    (folder / "sentence_bert_config.json").write_text(json.dumps(settings))
    return folder


def expected(folder, text, pooling, *, normalize, limit, lower=False):
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    tokens = tokenizer(text.lower() if lower else text, truncation=True, max_length=limit, return_tensors="pt")
    with torch.inference_mode():
        states = model(**tokens).last_hidden_state[0]
    embedding = {"mean": states.mean(0), "cls": states[0], "max": states.amax(0)}[pooling]
    return (torch.nn.functional.normalize(embedding, dim=0) if normalize else embedding).numpy()


CASES = {
    # A folder of sentence-transformers decides; RoBERTa's checkpoint has no pooler, and its tokenizer heeds the case.
    "folder": {
        "family": "roberta",
        "sentence": {"pooling": {"pooling_mode_mean_tokens": True}, "max_seq_length": 24, "do_lower_case": True},
        "options": (),
        "answer": {"pooling": "mean", "normalize": True, "limit": 24, "lower": True},
    },
    "plain": {
        "family": "bert",
        "sentence": None,
        "options": ("--pooling", "cls", "--layout", "ensemble"),
        "answer": {"pooling": "cls", "normalize": False, "limit": 128},
    },
    "fused": {
        "family": "bert",
        "sentence": {"pooling": {"pooling_mode_mean_tokens": True}, "max_seq_length": 24},
        "options": ("--max-length", "20"),
        "answer": {"pooling": "mean", "normalize": True, "limit": 20},
    },
    "fixed": {
        "family": "bert",
        "sentence": None,
        "options": ("--sequence-length", "40"),
        "answer": {"pooling": "mean", "normalize": False, "limit": 40},
    },
    "options": {
        "family": "distilbert",
        "sentence": {"pooling": {"pooling_mode_lasttoken": True}, "modules": ("Transformer", "Pooling")},
        "options": (
            "--pooling",
            "max",
            "--normalize",
            "--max-length",
            "12",
            "--input-dtype",
            "INT32",
            "--layout",
            "ensemble",
        ),
        "answer": {"pooling": "max", "normalize": True, "limit": 12},
    },
}


@pytest.fixture(scope="module", params=mostly_long(CASES, "folder", "options"))
def served(request, tmp_path_factory, serve_repository):
    """(address, model name, its folder, how its tokens are pooled) of one case, built and proven by one command."""
    case, name = CASES[request.param], f"test-embedding-{request.param}"
    folder = tiny_models.FAMILIES[case["family"]](tmp_path_factory.mktemp("embedding") / "model")
    if case["sentence"]:
        sentence_folder(folder, **case["sentence"])
    done = build(folder, folder, "-", name, "v1", 8, "--task", "feature-extraction", *case["options"])
    assert done.returncode == 0, done.stderr
    yield serve_repository(BUILD / name / "v1/model_repository").address, name, folder, case["answer"]
    shutil.rmtree(BUILD / name)


def ask(client, address, name, texts, shape=None):
    tensor = client.InferInput("text_input", shape or [len(texts), 1], "BYTES")
    tensor.set_data_from_numpy(np.array(texts, dtype=object).reshape(shape or (-1, 1)))
    with client.InferenceServerClient(address) as server:
        return server.infer(name, [tensor]).as_numpy("embedding")


def test_the_metrics_count_texts(served, serve_repository):
    address, name, *_ = served
    increase = Increase(serve_repository(BUILD / name / "v1/model_repository").metrics, name)
    ask(tritonclient.http, address.http, name, [text.encode() for text in TEXTS])
    increase.wait_for(text_tokens_count=len(TEXTS), text_tokens_bucket={"128": len(TEXTS)}, batch_rows_count=1)
    assert increase.by_label("truncated_texts_total") >= 1
    assert not increase.by_label("best_score_bucket", "le")
    assert increase.names() == expected_names(BUILD / name / "v1")


def test_every_text_has_the_embedding_that_torch_gives(served):
    address, name, folder, how = served
    right = np.stack([expected(folder, text, **how) for text in TEXTS])
    assert min(np.abs(right[0] - other).max() for other in right[1:]) > 1e-2, "the texts' embeddings must differ"
    for client, place in ((tritonclient.http, address.http), (tritonclient.grpc, address.grpc)):
        encoded = [text.encode() for text in TEXTS]
        together = ask(client, place, name, encoded)
        assert (together.dtype, together.shape) == (np.float32, (len(TEXTS), 32))
        scale = max(1.0, float(np.abs(right).max()))
        np.testing.assert_allclose(together, right, atol=1e-5 * scale)
        alone = np.concatenate([ask(client, place, name, [text]) for text in encoded])
        np.testing.assert_allclose(alone, right, atol=1e-5 * scale)


@pytest.mark.parametrize(
    ("texts", "shape"), [([b"\xff\xfe"], [1, 1]), ([b"a", b"b"], [1, 2]), ([b"a"], [1]), ([b"a"] * 9, [9, 1])]
)
def test_a_request_that_cannot_be_answered_gets_400(served, texts, shape):
    address, name, *_ = served
    body = {"name": "text_input", "shape": shape, "datatype": "BYTES", "parameters": {"binary_data_size": 0}}
    payload = b"".join(len(text).to_bytes(4, "little") + text for text in texts)
    body["parameters"]["binary_data_size"] = len(payload)
    head = json.dumps({"inputs": [body]}).encode()
    request = urllib.request.Request(f"http://{address.http}/v2/models/{name}/infer", data=head + payload)
    request.add_header("Inference-Header-Content-Length", str(len(head)))
    with pytest.raises(urllib.error.HTTPError) as refusal:
        urllib.request.urlopen(request, timeout=30)
    assert refusal.value.code == 400
    assert ask(tritonclient.http, address.http, name, [b"a"]).shape == (1, 32)


@pytest.mark.parametrize(
    ("change", "arguments", "code", "says"),
    [
        ({}, ("-", "--pooling", "mean,sum"), 2, "--pooling 'sum' is not known; choose one of: mean, cls, max"),
        ({}, ("-", "--dimensions", "8,0"), 2, "--dimensions is '0'"),
        ({}, ("-", "--dimensions", "8,8"), 2, "has a size twice"),
        ({}, ("-", "--prompt-name", "passage"), 2, "choose one of: query, document"),
        ({}, ("-", "--format", "onxx"), 2, "onnx, torchscript"),
        ({}, ("-", "--format", "torchscript", "--layout", "fused"), 2, "choose --layout ensemble"),
        ({}, ("-", "--input-dtype", "INT8"), 2, "INT64, INT32"),
        ({}, ("-", "--sequence-length", "20", "--max-length", "30"), 2, "leave one of them out"),
        ({}, ("-", "--sequence-length", "500"), 3, "at most 128"),
        ({}, ("labels.json",), 2, "has no labels"),
        ({}, ("-", "--top-k", "2"), 2, "--top-k is not for"),
        ({"modules": ("Transformer", "Pooling", "CNN")}, ("-",), 3, "CNN, which is a network over all tokens"),
        ({"pooling": {"pooling_mode": "sum"}}, ("-",), 3, "pooling_mode 'sum'"),
        ({"model_type": "canine"}, ("-",), 4, "'canine'"),
    ],
)
def test_a_mistake_is_reported_before_anything_slow_runs(tmp_path, change, arguments, code, says):
    folder = tiny_models.bert(tmp_path / "model")
    if "modules" in change or "pooling" in change:
        sentence_folder(folder, **{"pooling": {"pooling_mode_mean_tokens": True}, **change})
    if "model_type" in change:
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**config, "model_type": change["model_type"]}))
    done = build(folder, folder, *arguments, "--task", "feature-extraction")
    assert (done.returncode, done.stdout) == (code, "")
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert says in line and "Traceback" not in done.stderr
    assert "weights" not in done.stderr, "told before the weights are looked at"

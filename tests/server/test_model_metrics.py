"""The metrics of a model on the real Triton: what was sent, counted by the tokenizer and the answers themselves."""

import collections
import json
import shutil
import subprocess

import pytest
from tokenizers import Tokenizer

from tests import tiny_models
from tests.server.published import Increase, expected_names, scrape
from tests.server.task_requests import ask, build
from utils.host.build_tree import BUILD
from utils.triton.server import serve

LABELS = ('say "hi"', "back\\slash", "two\nlines, помощь 👍")
LIMIT = 32
TEXTS = ["a fox", "money " * 100, "", "помогите мне", "the quick brown fox jumps", "dog " * 29, "dog " * 31, "x"]
LAYOUTS = ("fused", "ensemble")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny_models.bert(tmp_path_factory.mktemp("metrics") / "model", labels=LABELS)


@pytest.fixture(scope="module", params=LAYOUTS)
def served(request, model, serve_repository):
    """(server, name)"""
    name = f"test-metrics-{request.param}"
    options = ["--layout", request.param, "--max-length", LIMIT, "--top-k", 3, "--no-verify"]
    done = build(model, model, "-", name, "v1", 8, *options)
    assert done.returncode == 0, done.stderr
    yield serve_repository(BUILD / name / "v1/model_repository"), name
    shutil.rmtree(BUILD / name, ignore_errors=True)


def tokens(model, texts):
    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return [len(tokenizer.encode(text).ids) for text in texts]


def test_every_series_is_there_before_the_first_request(served):
    server, name = served
    ours = {key: value for key, value in scrape(server.metrics).items() if key[0].startswith("triton_factory_")}
    assert {dict(labels)["model"] for _, labels in ours} == {name}
    zero = {key: value for key, value in ours.items() if "start_time" not in key[0]}
    assert {dict(labels)["label"] for (family, labels), _ in zero.items() if "predictions" in family} == {
        *LABELS, "__other__",
    }  # fmt: skip
    assert not any(zero.values())
    assert {family for family, _ in ours} == expected_names(BUILD / name / "v1")


def test_they_equal_what_was_sent(served, model):
    """The server and the tokenizer library count the same; padding is what one batch of these texts needs at least."""
    server, name = served
    lengths = tokens(model, TEXTS)
    kept = [min(length, LIMIT) for length in lengths]
    increase = Increase(server.metrics, name)
    answer = ask("http", server.address, name, {"text_input": [[text] for text in TEXTS]})
    best = collections.Counter(label.decode() for label in answer["predicts"][:, 0])
    scores = answer["scores"][:, 0]
    increase.wait_for(
        batch_rows_count=1,
        batch_rows_sum=len(TEXTS),
        batch_rows_bucket={"4": 0, "8": 1, "+Inf": 1},
        text_tokens_count=len(TEXTS),
        text_tokens_sum=sum(kept),
        text_tokens_bucket={"8": sum(length <= 8 for length in kept), "32": len(TEXTS)},
        truncated_texts_total=sum(length > LIMIT for length in lengths),
        predictions_total={label: best[label] for label in (*LABELS, "__other__")},
        best_score_count=len(TEXTS),
        best_score_bucket={bound: sum(scores <= float(bound)) for bound in ("0.4", "0.5", "1")},
    )
    computed = increase.by_label("graph_tokens_total", "kind")
    assert computed["text"] == sum(kept)
    padded_together = len(TEXTS) * max(kept) - sum(kept)
    if name.endswith("fused"):  # which groups texts by length
        assert 0 < computed["padding"] < padded_together
        assert increase.by_label("execution_seconds_count") == 1
    else:
        assert computed["padding"] == padded_together


def test_requests_that_fail_and_the_canary_s_are_not_counted(served):
    server, name = served
    increase = Increase(server.metrics, name)
    with pytest.raises(Exception, match="not valid UTF-8"):
        ask("http", server.address, name, {"text_input": [["good"], [b"\xff"]]})
    body = {
        "id": "triton-factory-canary",
        "inputs": [{"name": "text_input", "shape": [1, 1], "datatype": "BYTES", "data": ["a fox"]}],
    }
    command = ["curl", "--silent", "--fail", f"http://{server.address.http}/v2/models/{name}/infer"]
    subprocess.run([*command, "--data", json.dumps(body)], check=True, capture_output=True)
    ask("grpc", server.address, name, {"text_input": [["one"]]})
    increase.wait_for(text_tokens_count=1, best_score_count=1, batch_rows_count=1)


def test_the_page_holds_no_text(served):
    server, _ = served
    values = {value for _, labels in scrape(server.metrics) for _, value in labels}
    assert not [value for value in values if "fox" in value or "dog" in value]


@pytest.mark.parametrize("layout", ["fused"])
def test_two_instances_share_their_series(model, layout):
    name = "test-metrics-instances"
    options = ["--layout", layout, "--no-verify", "--instances", 2]
    done = build(model, model, "-", name, "v1", 8, *options)
    try:
        assert done.returncode == 0, done.stderr
        with serve(BUILD / name / "v1/model_repository") as server:
            increase = Increase(server.metrics, name)
            for _ in range(20):
                ask("grpc", server.address, name, {"text_input": [["a"], ["b"]]})
            increase.wait_for(text_tokens_count=40, batch_rows_count=20, best_score_count=40)
    finally:
        shutil.rmtree(BUILD / name, ignore_errors=True)


def test_they_can_be_switched_off(served, monkeypatch):
    _, name = served
    monkeypatch.setenv("TRITON_MODEL_METRICS", "off")
    with serve(BUILD / name / "v1/model_repository") as server:
        ask("http", server.address, name, {"text_input": [["a"]]})
        names = {family for family, _ in scrape(server.metrics)}
    assert not [each for each in names if each.startswith("triton_factory_") or "summary" in each]
    assert "nv_inference_request_success" in names

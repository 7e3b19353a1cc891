"""zero-shot-classification: built by one command, served by the real Triton, equal to transformers' own pipeline."""

import json
import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tests import tiny_models
from tests.selection import mostly_long
from tests.server.published import Increase, expected_names, scrape
from tests.server.task_requests import ask, build, original, post
from utils.host.build_tree import BUILD
from utils.repository.corpus import GOLDEN_TEXTS

NAME = "test-zero-shot"
# build -> family, labels of the model, options of the pipeline (and, by the same names, of the build)
BUILDS = {
    "bert": ("bert", ("contradiction", "neutral", "entailment"), {}),
    "options": (
        "roberta",
        ("ENTAILMENT", "NEUTRAL", "CONTRADICTION"),
        {"multi_label": True, "hypothesis_template": "Этот текст — {}, «or» 'not'?"},
    ),
}
TEXTS = [text for text in GOLDEN_TEXTS if text] + ["漢" * 1500, "The price is 12,50 €; " * 2000]
LABELS = (
    ["sports", "politics", "weather"],
    ["only one"],
    [
        "спорт",
        "天気",
        "الطقس",
        "e\u0301",
        "\u00e9",
        "😀",
        " spaces around ",
        "a, comma",
        "{braces}",
        'q"uote\n',
        "x" * 90,
    ],
    ["a", "A"],
)


@pytest.fixture(scope="module", params=mostly_long(BUILDS, "options"))
def served(request, tmp_path_factory, serve_repository):
    """(address, model name, the pipeline's answer to a text and labels); built with batches of four."""
    family, labels, options = BUILDS[request.param]
    model = tiny_models.FAMILIES[family](tmp_path_factory.mktemp("models") / family, labels=labels)
    name = f"{NAME}-{request.param}"
    flags = [f"--{key.replace('_', '-')}" + ("" if value is True else f"={value}") for key, value in options.items()]
    done = build(model, model, "-", name, "v1", 4, "--task", "zero-shot-classification", *flags)
    assert done.returncode == 0, done.stderr
    assert "golden requests over HTTP and gRPC: answers equal" in done.stderr
    pipeline = original(model, "AutoModelForSequenceClassification", "ZeroShotClassificationPipeline")
    pipeline.tokenizer.model_max_length = min(pipeline.tokenizer.model_max_length, 512)  # RoBERTa's says 1e30
    address = serve_repository(BUILD / name / "v1/model_repository").address
    yield address, name, lambda text, labels: pipeline(text, candidate_labels=labels, **options)
    shutil.rmtree(BUILD / name, ignore_errors=True)


def check(answer, row, expected):
    """Labels of the same tokens have equal scores, so any order among them is right."""
    labels, scores = [label.decode("utf-8") for label in answer["predicts"][row]], answer["scores"][row]
    assert sorted(labels) == sorted(expected["labels"])
    assert (np.diff(scores) <= 0).all()
    right = dict(zip(expected["labels"], expected["scores"], strict=True))
    np.testing.assert_allclose(scores, [right[label] for label in labels], atol=1e-5)


@pytest.mark.parametrize("labels", LABELS, ids=len)
def test_answers_as_the_pipeline(served, labels):
    address, name, pipeline = served
    chosen = TEXTS if labels is LABELS[0] else TEXTS[4:8]
    for start in range(0, len(chosen), 4):
        texts = chosen[start : start + 4]
        expected = [pipeline(text, labels) for text in texts]
        answer = ask(
            "grpc", address, name, {"text_input": [[text] for text in texts], "candidate_labels": [labels] * len(texts)}
        )
        for row, each in enumerate(expected):
            check(answer, row, each)
        check(ask("http", address, name, {"text_input": [texts[:1]], "candidate_labels": [labels]}), 0, expected[0])


def test_each_row_has_labels_of_its_own(served):
    address, name, pipeline = served
    rows = [("a text", ["one", "two"]), ("another", ["три", "四"])]
    answer = ask(
        "http",
        address,
        name,
        {"text_input": [[text] for text, _ in rows], "candidate_labels": [each for _, each in rows]},
    )
    for row, each in enumerate(rows):
        check(answer, row, pipeline(*each))


def test_the_metrics_count_texts_with_labels_and_best_scores(served, serve_repository):
    """The labels are the clients' texts: they are in no metric."""
    address, name, _ = served
    metrics = serve_repository(BUILD / name / "v1/model_repository").metrics
    increase = Increase(metrics, name)
    scores = ask("http", address, name, {"text_input": [TEXTS[:1]], "candidate_labels": [LABELS[0]]})["scores"]
    increase.wait_for(
        text_tokens_count=3,
        truncated_texts_total=0,
        best_score_count=1,
        best_score_bucket={"0.4": int(scores[0, 0] <= 0.4), "1": 1},
    )
    assert not [key for key in scrape(metrics) if "sports" in str(key)]
    assert increase.names() == expected_names(BUILD / name / "v1")


BAD = {
    "no label": (["a text"], [], "input 'candidate_labels'"),
    "a label twice": (
        ["a text"],
        ["one", "two", "one"],
        "input 'candidate_labels', row 0: label 2, 'one', is duplicated",
    ),
    "a label without text": (["a text"], ["one", " \t"], "input 'candidate_labels', row 0: label 1 has no text"),
    "a label without end": (["a text"], ["one", "a b c " * 600], "input 'candidate_labels', row 0: the label 'a b c"),
    "no text": ([""], ["one", "two"], "input 'text_input', row 0: the text is empty"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_input_is_refused_by_name(served, case):
    address, name, _ = served
    texts, labels, sentence = BAD[case]
    status, body = post(address, name, {"text_input": ([1, 1], texts), "candidate_labels": ([1, len(labels)], labels)})
    assert (status, sentence in body["error"]) == (400, True), body


def test_bad_requests_cost_no_other_its_answer(served):
    address, name, _ = served
    expected = ask("grpc", address, name, {"text_input": [TEXTS[:1]], "candidate_labels": [LABELS[0]]})

    def one(number):
        labels = ["a", "a", "b"] if number % 2 else LABELS[0]
        return post(address, name, {"text_input": ([1, 1], TEXTS[:1]), "candidate_labels": ([1, 3], labels)})

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(one, range(40)))
    assert [status for status, _ in answers] == [200, 400] * 20
    for _, body in answers[::2]:
        assert {each["name"]: each["data"] for each in body["outputs"]}["predicts"] == [
            label.decode() for label in expected["predicts"][0]
        ]


@pytest.fixture(scope="module")
def broken(tmp_path_factory, serve_repository):
    """One good model beside two that call the graph wrongly: by another name, and with a tensor of another type."""
    folder = tmp_path_factory.mktemp("broken")
    model = tiny_models.bert(folder / "bert", labels=("entailment", "other"))
    name = f"{NAME}-broken"
    done = build(model, model, "-", name, "v1", 4, "--task", "zero-shot-classification", "--no-verify")
    assert done.returncode == 0, done.stderr
    repository = shutil.copytree(BUILD / name / "v1/model_repository", folder / "models")
    for copy, change in {
        "calls-nobody": {"model": "absent"},
        "calls-wrongly": {"inputs": {"input_ids": "TYPE_FP32"}},
    }.items():
        place = shutil.copytree(repository / name, repository / copy)
        config = place / "config.pbtxt"
        config.write_text(config.read_text(encoding="utf-8").replace(f'"{name}"', f'"{copy}"'), encoding="utf-8")
        settings = place / "1/settings.json"
        content = json.loads(settings.read_text(encoding="utf-8"))
        content["graph"].update(change)
        settings.write_text(json.dumps(content), encoding="utf-8")
    yield serve_repository(repository).address
    shutil.rmtree(BUILD / name, ignore_errors=True)


@pytest.mark.parametrize(
    ("model", "sentence"),
    [("calls-nobody", "model 'absent' did not answer"), ("calls-wrongly", "model 'model_onnx' did not answer")],
)
def test_an_error_of_the_graph_is_the_requests_own(broken, model, sentence):
    request = {"text_input": ([1, 1], ["a text"]), "candidate_labels": ([1, 2], ["one", "two"])}
    status, body = post(broken, model, request)
    assert (status, sentence in body["error"], "Traceback" in body["error"]) == (500, True, False), body
    assert post(broken, f"{NAME}-broken", request)[0] == 200

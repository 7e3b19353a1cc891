"""--eval-file of each kind: the figures "after" are those of the served answers, which are asked again one by one.

The metrics are computed here without the libraries that the builder takes. Half of the right answers are those of the
model itself, so that no figure is 0 or 1.
"""

import json
import shutil
from itertools import pairwise

import numpy as np
import pytest

from tests import tiny_models
from tests.server.task_requests import ask, build, original
from utils.host.build_tree import BUILD
from utils.repository.corpus import GOLDEN_TEXTS

TEXTS = [text for text in GOLDEN_TEXTS if text.strip() and len(text) < 200]
NAMES = ["Anna Lee lives in New York.", "Bo met Anna in Rom, near O'Hare's bakery.", "помогите мне Анна"] * 3
# Texts of known tokens: no two have the same score.
WORDS = [sentence.split() for sentence in tiny_models.SENTENCES[:5]]
PARTS = [" ".join(words[:count]) for words in WORDS for count in range(1, len(words) + 1)]
NAME = "test-evaluation"


def built(request_name, tmp_path, model, rows, *options):
    """The evaluation of a build, after checking that the report line of the build says the same."""
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    name = f"{NAME}-{request_name}"
    done = build(model, model, "-", name, "v1", 4, "--eval-file", file, *options)
    assert done.returncode == 0, done.stderr
    tree = BUILD / name / "v1"
    found = json.loads((tree / "evaluation.json").read_text(encoding="utf-8"))
    assert (found["rows"], found["of"], found["file"]) == (len(rows), "after", "rows.jsonl")
    assert f"served model on {len(rows)} rows of --eval-file: " in done.stderr
    assert sum(each["rows"] for each in found["by_length"]) == len(rows)
    return name, tree, found


@pytest.fixture(autouse=True)
def _no_tree_is_left():
    yield
    for tree in BUILD.glob(f"{NAME}-*"):
        shutil.rmtree(tree)


def figures(found, *names, tolerance=1e-6):
    """The metrics after the build; those before are the same up to the difference of the two runtimes."""
    assert found["before"] == pytest.approx(found["after"], abs=1e-3)
    return [pytest.approx(found["after"][name], abs=tolerance) for name in names]


def test_entities(tmp_path, serve_repository):
    model = tiny_models.as_token_classification(tmp_path / "model", tiny_models.bert)
    pipeline = original(model, "AutoModelForTokenClassification", "TokenClassificationPipeline")
    rows = []
    for place, text in enumerate((*TEXTS, *NAMES)):
        own = pipeline(text, aggregation_strategy="simple") if place % 2 else []
        named = [{"start": each["start"], "end": each["end"], "label": each["entity_group"]} for each in own]
        rows.append({"text_input": text, "entities": named})
    rows.append({"tokens": ["Anna", "Lee", "met", "Bo"], "tags": ["B-PER", "I-PER", "O", "B-PER"]})
    name, tree, found = built("entities", tmp_path, model, rows, "--task", "token-classification")
    address = serve_repository(tree / "model_repository").address
    right, answered = set(), set()
    for place, row in enumerate(rows):
        text = row.get("text_input", "Anna Lee met Bo")
        entities = [(each["start"], each["end"], each["label"]) for each in row.get("entities", ())]
        entities = entities if "text_input" in row else [(0, 8, "PER"), (13, 15, "PER")]
        right |= {(place, *each) for each in entities}
        answer = json.loads(ask("http", address, name, {"text_input": [[text]]})["entities"][0, 0])
        answered |= {(place, each["start"], each["end"], each["entity_group"]) for each in answer}
    precision, recall = len(right & answered) / len(answered), len(right & answered) / len(right)
    assert 0 < precision < 1 and recall > 0
    f1 = 2 * precision * recall / (precision + recall)
    assert [precision, recall, f1] == figures(found, "precision", "recall", "f1")
    assert {each["label"] for each in found["by_label"]} == {label for *_, label in right | answered}
    assert json.loads((tree / "baseline.json").read_text())["source"] == "texts of --eval-file"


def test_answers(tmp_path, serve_repository):
    model = tiny_models.as_question_answering(tmp_path / "model", tiny_models.bert)
    pipeline = original(model, "AutoModelForQuestionAnswering", "QuestionAnsweringPipeline")
    rows = []
    for place, text in enumerate(TEXTS):
        inputs = {"question": "What is it?", "context": text}
        own = pipeline(**inputs)["answer"]
        rows.append({**inputs, "answers": [["no such words", own], [], own.swapcase() + ".", "none of it"][place % 4]})
    name, tree, found = built("answers", tmp_path, model, rows, "--task", "question-answering")
    address = serve_repository(tree / "model_repository").address
    exact = []
    for row in rows:
        answer = ask("http", address, name, {key: [[row[key]]] for key in ("question", "context")})
        allowed = row["answers"] if isinstance(row["answers"], list) else [row["answers"]]
        exact.append(normal(answer["answer"][0, 0].decode()) in {normal(each) for each in allowed or [""]})
    assert 0 < np.mean(exact) < 1
    assert [np.mean(exact)] == figures(found, "exact_match")
    assert found["after"]["f1"] >= found["after"]["exact_match"]
    assert sum(each["answers"] for each in found["calibration"]["bins"]) == len(rows)


def normal(text):
    """The words of an answer as SQuAD compares them, of texts without articles."""
    return " ".join("".join(sign for sign in text.lower() if sign not in "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~").split())


def ranks(values):
    """Of different values."""
    return np.argsort(np.argsort(values))


def correlations(right, served):
    assert len({*right}) == len(right) and len({*served}) == len(served)
    return [np.corrcoef(ranks(right), ranks(served))[0, 1], np.corrcoef(right, served)[0, 1]]


@pytest.mark.long("text-ranking")
@pytest.mark.parametrize("task", ["text-ranking", "text-classification"])
def test_scores(task, tmp_path, serve_repository):
    """A ranking of pairs, and a regression of texts, which has an error too."""
    model = tiny_models.bert(tmp_path / "model", labels=("value",))
    chance = np.random.default_rng(7)
    names = ("text_input", "text_pair") if task == "text-ranking" else ("text_input",)
    rows = [dict(zip(names, (text, text[::-1]), strict=False)) | {"score": chance.normal()} for text in PARTS]
    name, tree, found = built(task, tmp_path, model, rows, "--task", task)
    address = serve_repository(tree / "model_repository").address
    scores = [float(ask("http", address, name, {key: [[row[key]]] for key in names})["scores"][0, 0]) for row in rows]
    right = [row["score"] for row in rows]
    assert correlations(right, scores) == figures(found, "spearman", "pearson", tolerance=1e-4)
    if task == "text-classification":
        errors = np.abs(np.subtract(right, scores))
        expected = [errors.mean(), (errors**2).mean() ** 0.5]
        assert expected == figures(found, "mean_absolute_error", "root_mean_squared_error", tolerance=1e-4)
        assert found["worst"][0]["line"] == errors.argmax() + 1


@pytest.mark.long
def test_similarity(tmp_path, serve_repository):
    model = tiny_models.bert(tmp_path / "model")
    pairs = pairwise(PARTS)
    rows = [{"text_input": one, "text_pair": other, "score": 5 - place} for place, (one, other) in enumerate(pairs)]
    name, tree, found = built("similarity", tmp_path, model, rows, "--task", "feature-extraction")
    address = serve_repository(tree / "model_repository").address
    similarities = []
    for row in rows:
        one, other = (
            ask("http", address, name, {"text_input": [[row[key]]]})["embedding"][0].astype(float)
            for key in ("text_input", "text_pair")
        )
        similarities.append(one @ other / np.linalg.norm(one) / np.linalg.norm(other))
    expected = correlations([row["score"] for row in rows], similarities)
    assert expected == figures(found, "spearman", "pearson", tolerance=1e-4)


@pytest.mark.long
def test_several_labels_of_a_reduced_precision(tmp_path, serve_repository):
    """int8; the file's agreement is measured with its texts, and a second build takes all from the cache."""
    model = tiny_models.bert(tmp_path / "model", problem_type="multi_label_classification")
    pipeline = original(model, "AutoModelForSequenceClassification", "TextClassificationPipeline")
    rows = []
    for place, text in enumerate(TEXTS):
        own = [each["label"] for each in pipeline(text, top_k=None) if each["score"] > 0.5]
        rows.append({"text_input": text, "labels": own if place % 2 else ["neutral"]})
    options = ("--precision", "int8", "--min-agreement", "0.5")
    name, tree, found = built("labels", tmp_path, model, rows, *options)
    address = serve_repository(tree / "model_repository").address
    same, common, labelled, shown = [], 0, 0, 0
    for row in rows:
        answer = ask("http", address, name, {"text_input": [[row["text_input"]]]})
        served = zip(answer["predicts"][0], answer["scores"][0], strict=True)
        predicted = {label.decode() for label, score in served if score > 0.5}
        same.append(predicted == {*row["labels"]})
        common += len(predicted & {*row["labels"]})
        labelled, shown = labelled + len(row["labels"]), shown + len(predicted)
    assert 0 < np.mean(same) < 1
    after = found["after"]
    assert (after["accuracy"], after["f1_micro"]) == (np.mean(same), pytest.approx(2 * common / (labelled + shown)))
    again = build(model, model, "-", name, "v2", 4, "--eval-file", tmp_path / "rows.jsonl", *options, "--no-verify")
    assert again.returncode == 0, again.stderr
    assert "taken from the cache of conversions" in again.stderr
    kept = json.loads((BUILD / name / "v2/evaluation.json").read_text(encoding="utf-8"))
    assert (kept["before"], kept["after"], kept["of"]) == (found["before"], None, "before")


@pytest.mark.long
def test_candidate_labels(tmp_path, serve_repository):
    """Rows with different numbers of candidates do not share a batch."""
    model = tiny_models.bert(tmp_path / "model", labels=("contradiction", "neutral", "entailment"))
    sets = (["sports", "politics", "weather"], ["спорт", "天気"])
    rows = [
        {"text_input": text, "candidate_labels": sets[place // 3 % 2], "label": sets[place // 3 % 2][place % 2]}
        for place, text in enumerate(TEXTS)
    ]
    name, tree, found = built("candidates", tmp_path, model, rows, "--task", "zero-shot-classification")
    address = serve_repository(tree / "model_repository").address
    right = []
    for row in rows:
        inputs = {"text_input": [[row["text_input"]]], "candidate_labels": [row["candidate_labels"]]}
        right.append(ask("http", address, name, inputs)["predicts"][0, 0].decode() == row["label"])
    assert 0 < np.mean(right) < 1
    assert [np.mean(right)] == figures(found, "accuracy")
    assert sum(map(sum, found["confusion"]["counts"])) == len(rows)

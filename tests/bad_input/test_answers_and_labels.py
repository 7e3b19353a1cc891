"""Question answering and zero-shot classification: errors are reported before anything slow runs."""

import json

import pytest

QA, ZERO_SHOT = (("--task", task) for task in ("question-answering", "zero-shot-classification"))

# ID2LABEL, options, exit code, words
CASES = {
    "labels for answers": ("{labels}", QA, 2, ["question-answering has no labels", "give - as ID2LABEL"]),
    "top-k of answers": ("-", (*QA, "--top-k", "2"), 2, ["--top-k is not for --task question-answering"]),
    "an option of the other": (
        "-",
        (*QA, "--multi-label"),
        2,
        ["--multi-label is not for", "zero-shot-classification"],
    ),
    "and back": ("-", (*ZERO_SHOT, "--handle-impossible-answer"), 2, ["is not for --task zero-shot-classification"]),
    "a template without a place": ("-", (*ZERO_SHOT, "--hypothesis-template", "It is."), 2, ["'It is.'", "write {}"]),
    "labels of another task": ("-", ZERO_SHOT, 3, ["'negative', 'neutral', 'positive'", "starts with 'entail'"]),
    "one label that entails": ("{labels}", ZERO_SHOT, 3, ["has 1 label"]),
}


@pytest.mark.parametrize("case", CASES)
def test_is_refused_early(case, damaged, refused):
    labels, options, code, words = CASES[case]
    file = damaged.folder / "labels.json"
    file.write_text(json.dumps(["entailment"]), encoding="utf-8")
    refused([damaged.model, damaged.model, labels.format(labels=file), "served", "v1", "4", *options], code, words)


def test_a_type_without_the_head_is_refused_early(damaged, refused):
    config = damaged.model / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text(encoding="utf-8")), "model_type": "gpt2"}))
    words = ["cannot convert model type 'gpt2' for question-answering", "roberta"]
    refused([damaged.model, damaged.model, "-", "served", "v1", "4", *QA], 4, words)


def test_a_classifier_is_refused_for_question_answering(damaged, refused):
    words = ["qa_outputs", "question-answering"]
    refused([damaged.model, damaged.model, "-", "served", "v1", "4", *QA], 3, words, early=False)

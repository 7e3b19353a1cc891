"""The step's rules against transformers' own pipeline, over random logits: no model, no Triton."""

from types import SimpleNamespace

import numpy as np
import pytest

INPUTS = {"text_input": "TYPE_STRING", "candidate_labels": "TYPE_STRING"}
OUTPUTS = {"predicts": "TYPE_STRING", "scores": "TYPE_FP32"}
GRAPH = {
    "model": "graph",
    "max_batch_size": 2,
    "inputs": {"input_ids": "TYPE_INT64"},
    "outputs": {"logits": "TYPE_FP32"},
    "padding": {"id": 0, "type_id": 0, "token": "[PAD]", "side": "right"},
}


def logits_of(ids):
    return np.random.default_rng(abs(hash(tuple(ids)))).normal(scale=2, size=3).astype(np.float32)


def graph(arrays):
    return {"logits": np.stack([logits_of([token for token in row.tolist() if token]) for row in arrays["input_ids"]])}


@pytest.fixture
def load(load_component, pb_utils, words):
    """`load(**settings)`: the step, its rows 10 tokens long."""

    def make(**changes):
        pb_utils.models["graph"] = changes.pop("graph", graph)
        settings = {"entailment": 2, "multi_label": False, "hypothesis_template": "g {} h"}
        tokenization = {"max_length": 10, "truncation_side": "right", "padding": None}
        files = {
            "tokenizer.json": words.to_str(),
            "settings.json": {**settings, **changes, "tokenization": tokenization, "graph": GRAPH},
        }
        return load_component("zero_shot_classification", INPUTS, OUTPUTS, files)

    return make


@pytest.fixture
def pipeline(words):
    """`pipeline(text, labels, entailment, multi_label)`: the result of transformers for the same logits."""
    from transformers import PreTrainedTokenizerFast, ZeroShotClassificationPipeline
    from transformers.pipelines.zero_shot_classification import ZeroShotClassificationArgumentHandler

    original = ZeroShotClassificationPipeline.__new__(ZeroShotClassificationPipeline)
    original.framework, original._args_parser = "pt", ZeroShotClassificationArgumentHandler()
    original.tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, pad_token="[PAD]", model_max_length=10)

    def answer(text, labels, *, entailment=2, multi_label=False):
        import torch

        original.model = SimpleNamespace(config=SimpleNamespace(label2id={"Entails": entailment}))
        outputs = [
            {**part, "logits": torch.from_numpy(logits_of(part["input_ids"][0].tolist()))[None]}
            for part in original.preprocess(text, labels, "g {} h")
        ]
        return original.postprocess(outputs, multi_label=multi_label)

    return answer


def ask(request_of, texts, labels):
    as_bytes = [[each if isinstance(each, bytes) else each.encode() for each in row] for row in labels]
    return request_of(
        text_input=np.array([[text.encode()] for text in texts], dtype=object),
        candidate_labels=np.array(as_bytes, dtype=object).reshape(len(labels), -1),
    )


@pytest.mark.parametrize("options", [{}, {"multi_label": True}, {"entailment": 0, "multi_label": True}], ids=str)
def test_the_answer_equals_the_pipeline_s(load, request_of, pipeline, options):
    step, random = load(**options), np.random.default_rng(3)
    for _ in range(60):
        texts = [" ".join(random.choice([*"abcdef"], size=random.integers(1, 12)).tolist()) for _ in range(3)]
        count = random.integers(1, 6)
        rows = [random.permutation([*"abcdef"])[:count].tolist() for _ in texts]
        (response,) = step.execute([ask(request_of, texts, rows)])
        for row, (text, labels) in enumerate(zip(texts, rows, strict=True)):
            expected = pipeline(text, labels, **options)
            assert [label.decode() for label in response.outputs["predicts"][row]] == expected["labels"]
            np.testing.assert_allclose(response.outputs["scores"][row], expected["scores"], rtol=1e-5)
        assert response.outputs["scores"].dtype == np.float32


BAD = {
    "no label": (["a"], [[]], "input 'candidate_labels', row 0: at least one label is required"),
    "twice": (
        ["a", "a"],
        [["a", "b"], ["b", "b"]],
        "input 'candidate_labels', row 1: label 1, 'b', is duplicated",
    ),
    "too many": (["a"], [[f"a{number}" for number in range(1001)]], "row 0: 1001 labels are too many; at most 1000"),
    "too long to look at": (["a"], [["a", "b" * 161]], "is so long that it leaves no room for the text"),
    "no text in it": (["a"], [["a", "\t "]], "input 'candidate_labels', row 0: label 1 has no text"),
    "no UTF-8": (["a"], [["a", b"\xff"]], "input 'candidate_labels', row 0: not valid UTF-8 (byte 0)"),
    "no room": (["a"], [["a " * 5]], "leaves no room for the text; the hypothesis with it may have 6 tokens"),
    "empty text": ([""], [["a", "b"]], "input 'text_input', row 0: the text is empty"),
}


@pytest.mark.parametrize("case", BAD)
def test_an_invalid_request_does_not_fail_others(load, request_of, case):
    texts, labels, sentence = BAD[case]
    good = ask(request_of, ["a"], [["a", "b"]])
    before, bad, after = load().execute([good, ask(request_of, texts, labels), good])
    assert sentence in bad.error.message()
    assert bad.error.code() == "INVALID_ARG"
    assert before.outputs["predicts"].tolist() == after.outputs["predicts"].tolist()


def test_the_longest_label_leaves_a_token_of_the_text(load, request_of, pipeline):
    (response,) = load().execute([ask(request_of, ["a b c d"], [["b " * 4, "c"]])])
    assert [label.decode() for label in response.outputs["predicts"][0]] == pipeline("a b c d", ["b " * 4, "c"])[
        "labels"
    ]


def test_logits_that_are_not_finite_are_an_error_and_no_label(load, request_of):
    step = load(graph=lambda arrays: {"logits": np.full((len(arrays["input_ids"]), 3), np.inf, dtype=np.float32)})
    (response,) = step.execute([ask(request_of, ["a"], [["a", "b"]])])
    assert (response.error.code(), "not finite" in response.error.message()) == ("INTERNAL", True)

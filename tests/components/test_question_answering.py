"""The step's rules against transformers' own pipeline, over random logits: no model, no Triton."""

import numpy as np
import pytest

from utils.repository.served_code import load_shared

INPUTS = {"question": "TYPE_STRING", "context": "TYPE_STRING"}
OUTPUTS = {"answer": "TYPE_STRING", "score": "TYPE_FP32", "start": "TYPE_INT64", "end": "TYPE_INT64"}
GRAPH = {
    "model": "graph",
    "max_batch_size": 2,
    "inputs": {"input_ids": "TYPE_INT64"},
    "outputs": {"start_logits": "TYPE_FP32", "end_logits": "TYPE_FP32"},
    "padding": {"id": 0, "type_id": 0, "token": "[PAD]", "side": "right"},
}
LETTERS = "abcdefgh"


def logits_of(ids):
    """Random, but equal for equal tokens, whatever the padding: FP32 [tokens] each."""
    random = np.random.default_rng(abs(hash(tuple(ids))))
    return random.normal(scale=3, size=(2, len(ids))).astype(np.float32)


def graph(arrays):
    answers = []
    for row in arrays["input_ids"]:
        ids = [token for token in row.tolist() if token]
        answers.append(np.pad(logits_of(ids), ((0, 0), (0, len(row) - len(ids))), constant_values=50))
    return {"start_logits": np.stack(answers)[:, 0], "end_logits": np.stack(answers)[:, 1]}


@pytest.fixture
def words(words):
    """Texts may contain its special tokens, as in a tokenizer that transformers saved."""
    words.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]"])
    return words


@pytest.fixture
def load(load_component, pb_utils, words):
    """`load(**settings)`: the step, its rows 16 tokens long, overlapping by 4."""

    def make(**changes):
        pb_utils.models["graph"] = changes.pop("graph", graph)
        tokenization = {"max_length": 16, "truncation_side": changes.pop("side", "right"), "padding": None, "cls_id": 2}
        settings = {"max_seq_len": 16, "doc_stride": 4, "max_answer_len": 3, "handle_impossible_answer": False}
        files = {
            "tokenizer.json": words.to_str(),
            "settings.json": {**settings, **changes, "tokenization": tokenization, "graph": GRAPH},
        }
        return load_component("question_answering", INPUTS, OUTPUTS, files)

    return make


@pytest.fixture
def pipeline(words):
    """`pipeline(question, context, **options)`: the result of transformers for the same logits."""
    from transformers import PreTrainedTokenizerFast, QuestionAnsweringPipeline

    original = QuestionAnsweringPipeline.__new__(QuestionAnsweringPipeline)
    original.framework = "pt"
    original.tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words, cls_token="[CLS]", sep_token="[SEP]", pad_token="[PAD]", unk_token="[UNK]"
    )

    def answer(question, context, *, side="right", doc_stride=4, **options):
        import torch

        original.tokenizer.truncation_side = side
        example = original.create_sample(question, context)
        parts = []
        for part in original.preprocess(example, max_seq_len=16, doc_stride=doc_stride):
            start, end = torch.from_numpy(logits_of(part["input_ids"][0].tolist()))
            parts.append({"start": start[None], "end": end[None], **part})
        return original.postprocess(parts, max_answer_len=3, **options)

    return answer


def column(*texts):
    return np.array([[text if isinstance(text, bytes) else text.encode()] for text in texts], dtype=object)


def random_rows(count, longest):
    random = np.random.default_rng(5)
    for _ in range(count):
        question, context = (
            " ".join(random.choice([*LETTERS, "A", "B", "[CLS]"], size=random.integers(1, size)).tolist())
            for size in (5, longest)
        )
        yield question, context


@pytest.mark.parametrize("options", [{}, {"handle_impossible_answer": True}, {"side": "left"}], ids=str)
def test_the_answer_equals_the_pipeline_s(load, request_of, pipeline, options):
    step = load(**options)
    seen = set()
    for question, context in random_rows(150, 60):
        (response,) = step.execute([request_of(question=column(question), context=column(context))])
        expected = pipeline(question, context, **options)
        outputs = {name: array[0, 0] for name, array in response.outputs.items()}
        assert (outputs["answer"].decode(), outputs["start"], outputs["end"]) == tuple(
            expected[key] for key in ("answer", "start", "end")
        )
        assert outputs["score"] == pytest.approx(expected["score"], rel=1e-5)
        seen.add(expected["answer"])
    assert len(seen) > 50
    assert ("" in seen) == ("handle_impossible_answer" in options)


def test_rows_of_one_request_keep_their_order(load, request_of, pipeline):
    rows = list(random_rows(7, 40))
    (response,) = load().execute(
        [request_of(question=column(*(q for q, _ in rows)), context=column(*(c for _, c in rows)))]
    )
    assert [answer.decode() for answer in response.outputs["answer"][:, 0]] == [
        pipeline(*row)["answer"] for row in rows
    ]
    assert {name: array.shape for name, array in response.outputs.items()} == dict.fromkeys(OUTPUTS, (7, 1))


BAD = {
    "empty question": (("", "a"), "input 'question', row 0: the text is empty"),
    "empty context": (("a", ""), "input 'context', row 0: the text is empty"),
    "no token": (("a", "  "), "input 'context', row 0: the tokenizer finds no token in this text"),
    "no UTF-8": (("a", b"\xff"), "input 'context', row 0: not valid UTF-8 (byte 0)"),
    "no room": (("a " * 20, "a b c"), "input 'question', row 0: the text is so long that no token of the context fits"),
    "no room by one": (("a " * 13, "a b"), "fits beside it into the 16 tokens of a row"),
    "too many parts": (
        ("a", "b " * 1029),
        "input 'context', row 0: the text is too long: 129 parts of 16 tokens",
    ),
    "too long to look at": (
        ("a", "b" * 32769),
        "input 'context', row 0: the text is too long: 32769 characters",
    ),
    "a question too long to look at": (("a" * 257, "b"), "the text is too long: 257 characters, at most 256 are read"),
}


@pytest.mark.parametrize("case", BAD)
def test_an_invalid_request_does_not_fail_others(load, request_of, pipeline, case):
    (question, context), sentence = BAD[case]
    good = request_of(question=column("a"), context=column("b c d"))
    before, bad, after = load().execute([good, request_of(question=column(question), context=column(context)), good])
    assert sentence in bad.error.message()
    assert bad.error.code() == "INVALID_ARG"
    assert [each.outputs["answer"][0, 0].decode() for each in (before, after)] == [pipeline("a", "b c d")["answer"]] * 2


def test_the_longest_context_is_answered(load, request_of, pipeline):
    context = "b c " * 513 + "d e"
    (response,) = load().execute([request_of(question=column("a"), context=column(context))])
    assert response.outputs["answer"][0, 0].decode() == pipeline("a", context)["answer"]


def test_a_long_question_is_answered_if_the_context_fits(load, request_of, pipeline):
    (response,) = load().execute([request_of(question=column("a " * 10), context=column("b c d"))])
    assert response.outputs["answer"][0, 0].decode() == pipeline("a " * 10, "b c d")["answer"]


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize(("question", "overlap"), [(8, 4), (9, 2), (10, 1), (11, 1), (12, 0)])
def test_little_room_reduces_the_overlap_of_rows(load, request_of, pipeline, question, overlap, side):
    """transformers' pipeline panics in the tokenizer unless it gets a smaller doc_stride."""
    texts = "a " * question, " ".join(LETTERS * 3)
    (response,) = load(side=side).execute([request_of(question=column(texts[0]), context=column(texts[1]))])
    expected = pipeline(*texts, doc_stride=overlap, side=side)
    assert (response.outputs["answer"][0, 0].decode(), response.outputs["start"][0, 0]) == (
        expected["answer"],
        expected["start"],
    )


def test_the_count_of_rows_equals_the_tokenizer_s(words):
    rows = load_shared("context_rows")
    for question, tokens in ((1, 40), (1, 13), (1, 14), (9, 7), (12, 5), (12, 1), (10, 33)):
        room = 16 - 3 - question
        words.enable_truncation(16, stride=rows.overlap(room, 4), strategy="only_second")
        encoding = words.encode("a " * question, "b " * tokens)
        assert rows.count_rows(tokens, room, 4) == 1 + len(encoding.overflowing)
    assert rows.count_rows(5, 0, 4) == 0


def test_logits_that_are_not_finite_are_an_error_and_no_answer(load, request_of):
    step = load(graph=lambda arrays: dict.fromkeys(GRAPH["outputs"], arrays["input_ids"] * np.nan))
    (response,) = step.execute([request_of(question=column("a"), context=column("b"))])
    assert (response.error.code(), "not finite" in response.error.message()) == ("INTERNAL", True)

import unicodedata
from types import SimpleNamespace

import pytest

from utils.errors import SourceError
from utils.tasks import TASKS
from utils.tasks.question_answering import EXAMPLES, row_sizes

TASK = TASKS["question-answering"]


@pytest.mark.parametrize(
    ("limit", "sizes"),
    [
        (None, {"max_seq_len": 384, "doc_stride": 128}),
        (512, {"max_seq_len": 384, "doc_stride": 128}),
        (384, {"max_seq_len": 384, "doc_stride": 128}),
        (256, {"max_seq_len": 256, "doc_stride": 128}),
        (128, {"max_seq_len": 128, "doc_stride": 64}),
        (9, {"max_seq_len": 9, "doc_stride": 4}),
    ],
)
def test_sizes_are_those_the_pipeline_settles(limit, sizes):
    assert row_sizes(limit) == sizes


def test_an_impossible_answer_is_asked_for():
    assert TASK.settle(None, (), {})["handle_impossible_answer"] is False
    assert TASK.settle(None, (), {"handle_impossible_answer": True})["handle_impossible_answer"] is True


def test_golden_requests_speak_several_scripts_and_one_is_longer_than_a_row():
    scripts = {unicodedata.name(letter).split()[0] for _, context in EXAMPLES for letter in context if letter.isalpha()}
    assert {"LATIN", "CYRILLIC", "HIRAGANA", "HANGUL", "ARABIC", "GREEK"} <= scripts
    assert max(len(context.split()) for _, context in EXAMPLES) > 384


@pytest.mark.parametrize("saved", [True, False])
def test_a_tokenizer_that_puts_the_context_first_is_refused(saved):
    class Tokenizer:
        padding_side = "right" if saved else "left"
        init_kwargs = {"padding_side": "left"} if saved else {}

    tokenizer = Tokenizer()
    tokenizer.padding_side = "right"  # as every build sets it
    with pytest.raises(SourceError, match="pads on the left"):
        TASK.answer(SimpleNamespace(tokenizer=tokenizer), {}, ())

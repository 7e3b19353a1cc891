import unicodedata
from types import SimpleNamespace

import pytest

from tests import tiny_models
from utils.convert.conversion import _golden_examples
from utils.convert.task import ConversionSpec
from utils.host.errors import SourceError
from utils.targets.releases import default_release, find_release
from utils.targets.target import Target
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


@pytest.fixture(scope="module")
def tokenizer():
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast(tokenizer_object=tiny_models.wordpiece(), pad_token="[PAD]", cls_token="[CLS]")


def test_examples_are_asked_whose_question_leaves_room_and_whose_parts_are_not_too_many(tokenizer):
    long, short = EXAMPLES[7], EXAMPLES[8]
    taken = {
        limit: [TASK.fits(tokenizer, {}, limit, each) for each in TASK.examples] for limit in (4, 8, 24, 48, 384, None)
    }
    assert taken[None] == taken[384] == [True] * len(EXAMPLES)
    assert taken[4] == [False] * len(EXAMPLES), "[CLS] ? [SEP] a [SEP]"
    assert taken[8][EXAMPLES.index(short)]
    assert not taken[24][EXAMPLES.index(long)]
    assert sum(taken[8]) < sum(taken[24]) <= sum(taken[48])


def test_a_limit_that_no_example_fits_into_is_reported(tokenizer):
    expected = ConversionSpec(task=TASK, target=Target(release=find_release(default_release())), max_batch_size=1)
    requests = [(each["question"], each["context"]) for each in _golden_examples(tokenizer, None, expected)]
    assert requests[: len(EXAMPLES)] == list(EXAMPLES), "the probes of the tokenizer come behind them"
    with pytest.raises(SourceError, match="no golden request of question-answering fits into 4 tokens"):
        _golden_examples(tokenizer, 4, expected)


def test_an_impossible_answer_is_asked_for():
    assert TASK.resolve_settings(None, (), {})["handle_impossible_answer"] is False
    assert TASK.resolve_settings(None, (), {"handle_impossible_answer": True})["handle_impossible_answer"] is True


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

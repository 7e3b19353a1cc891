import pytest

from tests import tiny_models
from utils.host.errors import SourceError, UsageError
from utils.tasks import TASKS
from utils.tasks.zero_shot_classification import DEFAULT_TEMPLATE, pairs, parse_template

TASK = TASKS["zero-shot-classification"]


@pytest.mark.parametrize(
    ("labels", "index"),
    [
        (("contradiction", "neutral", "entailment"), 2),
        (("ENTAILMENT", "NEUTRAL", "CONTRADICTION"), 0),
        (("not_entailment", "entails"), 1),
    ],
)
def test_entailment_is_found_by_its_label(labels, index):
    settings = TASK.resolve_settings(None, labels, {})
    assert settings == {"entailment": index, "hypothesis_template": DEFAULT_TEMPLATE, "multi_label": False}


@pytest.mark.parametrize(
    "labels", [("negative", "positive"), ("LABEL_0", "LABEL_1", "LABEL_2"), ("entailment",), ("entails", "entailment")]
)
def test_labels_of_another_task_are_named(labels):
    with pytest.raises(SourceError) as caught:
        TASK.resolve_settings(None, labels, {})
    assert all(repr(label) in str(caught.value) for label in labels)
    assert caught.value.exit_code == 3


def test_examples_are_asked_whose_hypotheses_leave_room_for_the_text():
    """A hypothesis is never truncated: transformers fails on a row that is too short, the image refuses it."""
    from transformers import PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast(tokenizer_object=tiny_models.wordpiece(), unk_token="[UNK]")
    settings = {"hypothesis_template": "a {}"}
    example = {"text_input": "the dog", "candidate_labels": ("a", "a a a")}
    taken = [TASK.fits(tokenizer, settings, limit, example) for limit in (7, 8, None)]
    assert taken == [False, True, True], "[CLS] the [SEP] a a a a [SEP]"


@pytest.mark.parametrize("template", ["This is {}.", "{}", "{0} and {0}", "{{}} {}", "{!s:>9}"])
def test_a_template_has_a_place_for_the_label(template):
    assert parse_template(template) == template


@pytest.mark.parametrize("template", ["", "no place", "{", "{} {}", "{label}", "{{}}", "{0.__name__}", "{:d}"])
def test_any_other_template_is_refused(template):
    with pytest.raises(UsageError, match="--hypothesis-template"):
        parse_template(template)


def test_each_label_is_a_hypothesis_about_the_text():
    example = {"text_input": "a text", "candidate_labels": ("one", "{}")}
    assert pairs({"hypothesis_template": "It is {}!"}, example) == [("a text", "It is one!"), ("a text", "It is {}!")]

"""README.md: its front matter, by the hub's own library, and texts that try to be Markdown."""

import pytest
from huggingface_hub import ModelCard

from tests.unit.report.conftest import HOSTILE
from utils.report.model_card import code, fenced, model_card
from utils.report.report import make_report


def test_the_front_matter_is_that_of_the_hub(finished):
    card = ModelCard(model_card(make_report(finished())), ignore_metadata_errors=False)
    assert card.data.license == "apache-2.0"
    assert card.data.base_model == "team/topics"
    assert card.data.pipeline_tag == "text-classification"
    assert card.data.library_name == "triton"
    assert card.data.model_name == "ensemble_model"
    assert "triton-inference-server" in card.data.tags


def test_it_says_what_is_proven_and_what_is_not(finished):
    assert "answers 1 golden requests as the reference model does" in model_card(make_report(finished()))
    text = model_card(make_report(finished(served=(), record={"warnings": ["a\n# b"]})))
    assert "not proven" in text
    assert "- `a # b`\n" in text


def test_labels_stand_in_code_spans(finished):
    lines = model_card(make_report(finished())).splitlines()
    assert f"- ```` {HOSTILE} ````" in lines
    assert "- `a`" in lines


@pytest.mark.parametrize(
    ("text", "span"),
    [("a", "`a`"), ("", "` `"), ("`", "`` ` ``"), ("a``b", "``` a``b ```"), ("a\n|b\x00", "`a \\|b`")],
)
def test_code_spans(text, span):
    assert code(text) == span


def test_code_blocks():
    assert fenced("a") == "```\na\n```"
    assert fenced("a ```` b") == "`````\na ```` b\n`````"

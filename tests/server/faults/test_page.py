"""docs/faults.md says what the server answers today."""

import os

from tests.server.faults import page
from tests.server.faults.cases import CASES
from tests.server.faults.conftest import LAYOUTS


def test_both_layouts_answer_as_the_page_says(target_of):
    ensemble, fused = (_answers(target_of(layout)) for layout in LAYOUTS)
    assert ensemble == fused
    text = page.text(ensemble)
    if os.environ.get("UPDATE_FAULTS") == "1":
        page.PAGE.write_text(text, encoding="utf-8")
    assert page.PAGE.read_text(encoding="utf-8") == text, "UPDATE_FAULTS=1 writes it anew"


def _answers(target):
    return [page.answer(case.ask(target), target.model) for case in CASES]

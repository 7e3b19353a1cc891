"""docs/faults.md has the server's current answers; for other releases only the statuses are compared."""

import os

from tests.server.faults import page
from tests.server.faults.conftest import LAYOUTS
from tests.server.faults.target import PYPI_RELEASE
from utils.diagnosis.cases import CASES


def test_both_layouts_answer_as_the_page_says(target_of):
    targets = [target_of(layout) for layout in LAYOUTS]
    ensemble, fused = (_answers(target) for target in targets)
    assert ensemble == fused
    if targets[0].release != PYPI_RELEASE:
        assert [each.partition(":")[0] for each in ensemble] == [str(case.status) for case in CASES]
        return
    text = page.text(ensemble)
    written, heading, by_hand = page.PAGE.read_text(encoding="utf-8").partition(page.BY_HAND)
    if os.environ.get("UPDATE_FAULTS") == "1":
        written = text
        page.PAGE.write_text(written + heading + by_hand, encoding="utf-8")
    assert written == text, "run with UPDATE_FAULTS=1 to update docs/faults.md"


def _answers(target):
    return [page.answer(case.send(target), target.model) for case in CASES]

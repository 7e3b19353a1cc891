"""docs/faults.md says what the server answers today."""

import os

from tests.server.faults import page
from tests.server.faults.cases import CASES


def test_the_page_is_up_to_date(target):
    replies = [case.ask(target) for case in CASES]
    text = page.text(replies).replace(target.model, "MODEL_NAME")
    if os.environ.get("UPDATE_FAULTS") == "1":
        page.PAGE.write_text(text, encoding="utf-8")
    assert page.PAGE.read_text(encoding="utf-8") == text, "UPDATE_FAULTS=1 writes it anew"

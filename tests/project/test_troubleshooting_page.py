"""docs/troubleshooting.md quotes messages: each is in the code, or in a message of a library or of Triton."""

import re

import pytest

from utils import ROOT

ROWS = re.findall(r"(?m)^\| (`.*?) \| .* \|$", (ROOT / "docs/troubleshooting.md").read_text(encoding="utf-8"))
QUOTES = sorted({quote for row in ROWS for quote in re.findall(r"`([^`]+)`", row)})
FOREIGN = {"onnx.load", "multiple hard links"}


def literals():
    """The code's text without line breaks and quotes between the parts of a literal, and without its placeholders."""
    files = [*(ROOT / "utils").rglob("*.py"), *(ROOT / "deploy").rglob("*.sh")]
    joined = " ".join(path.read_text(encoding="utf-8") for path in files)
    joined = re.sub(r"\"\s*\n\s*f?\"", "", joined)
    return re.sub(r"\{[^{}\n]*\}", "...", joined)


CODE = literals()


@pytest.mark.parametrize("quote", [quote for quote in QUOTES if quote not in FOREIGN])
def test_a_quoted_message_is_in_the_code(quote):
    parts = [part.strip() for part in re.split(r"\.\.\.|\d+(?:\.\d+)?", quote.removeprefix("warning: "))]
    assert all(part in CODE for part in parts if part), parts

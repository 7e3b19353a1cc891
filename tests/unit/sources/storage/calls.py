"""The two functions of a storage as a build calls them: in a child process, by the real client."""

from collections.abc import Callable
from pathlib import Path

import pytest

from utils.host.errors import SourceError
from utils.sources.storage import bounded, parse_reference

LIMIT = 60.0


def resolve(text: str) -> str:
    """The revision of a reference."""
    return bounded.resolve(parse_reference(text), limit=LIMIT)


def fetch(text: str, revision: str, patterns: tuple[str, ...], folder: Path) -> dict[str, Path]:
    """The fetched files by their path in the model's folder."""
    fetched = bounded.fetch(parse_reference(text), revision, patterns, folder, limit=LIMIT)
    return {path.relative_to(fetched.path).as_posix(): path for path in fetched.path.rglob("*") if path.is_file()}


def refusal(call: Callable[..., object], *arguments: object) -> str:
    """The one sentence of the SourceError that a call raises."""
    with pytest.raises(SourceError) as caught:
        call(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)

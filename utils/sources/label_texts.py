"""Checks labels: texts that are not empty and, unless allowed, no placeholders and no duplicates."""

import re
from collections import Counter
from collections.abc import Callable
from typing import Any

from utils.host.errors import SourceError
from utils.sources.requirements import SourceRequirements


def check_texts(labels: list[Any], source: str, requirements: SourceRequirements) -> tuple[str, ...]:
    """The labels as texts; SourceError (exit 3) for a label that is no text or that the requirements do not allow."""
    for index, label in enumerate(labels):
        is_blank = requirements.blank_label and index == 0
        if not isinstance(label, str) or not (label or is_blank):
            raise SourceError(f"{source!r}: label {index} is {label!r}; a label must be a text that is not empty")
        if not _is_encodable(label):
            raise SourceError(
                f"{source!r}: label {index} contains half a surrogate pair, which UTF-8 cannot encode; rewrite it"
            )
    _check_placeholders(labels, source, requirements)
    _check_duplicates(labels, source, requirements)
    return tuple(labels)


def _check_placeholders(labels: list[str], source: str, requirements: SourceRequirements) -> None:
    found = _find(labels, lambda label: re.fullmatch(r"LABEL_[0-9]+", label) is not None)
    if found is not None and not requirements.allow_placeholder_labels:
        raise SourceError(
            f"{source!r}: label {found} is the placeholder {labels[found]!r}, which has no meaning for clients; "
            "pass real labels as ID2LABEL, or add --allow-placeholder-labels"
        )


def _check_duplicates(labels: list[str], source: str, requirements: SourceRequirements) -> None:
    counts = Counter(labels)
    found = _find(labels, lambda label: counts[label] > 1)
    if found is not None and not requirements.allow_duplicate_labels:
        again = labels.index(labels[found], found + 1)
        raise SourceError(
            f"{source!r}: labels {found} and {again} are both {labels[found]!r}, which clients cannot distinguish; "
            "rename one, or add --allow-duplicate-labels"
        )


def _find(labels: list[str], matches: Callable[[str], bool]) -> int | None:
    return next((index for index, label in enumerate(labels) if matches(label)), None)


def _is_encodable(label: str) -> bool:
    try:
        label.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True

"""What a label may be: a text that is not empty, and, unless it is wanted so, no placeholder and no other's double."""

import re
from collections import Counter
from collections.abc import Callable
from typing import Any

from utils.host.errors import SourceError
from utils.sources.requirements import SourceRequirements


def check_texts(labels: list[Any], source: str, requirements: SourceRequirements) -> tuple[str, ...]:
    """The labels as texts; SourceError (exit 3) for one that is none, or that the requirements do not allow."""
    for index, label in enumerate(labels):
        is_blank = requirements.blank_label and index == 0
        if not isinstance(label, str) or not (label or is_blank):
            raise SourceError(f"{source!r}: label {index} is {label!r}; a label is a text that is not empty")
        if not _is_encodable(label):
            raise SourceError(
                f"{source!r}: label {index} holds half a surrogate pair, which UTF-8 cannot carry; rewrite it"
            )
    _check_placeholders(labels, source, requirements)
    _check_duplicates(labels, source, requirements)
    return tuple(labels)


def _check_placeholders(labels: list[str], source: str, requirements: SourceRequirements) -> None:
    found = _find(labels, lambda label: re.fullmatch(r"LABEL_[0-9]+", label) is not None)
    if found is not None and not requirements.allow_placeholder_labels:
        raise SourceError(
            f"{source!r}: label {found} is the placeholder {labels[found]!r}, which tells a client nothing; "
            "give real labels as ID2LABEL, or accept it with --allow-placeholder-labels"
        )


def _check_duplicates(labels: list[str], source: str, requirements: SourceRequirements) -> None:
    counts = Counter(labels)
    found = _find(labels, lambda label: counts[label] > 1)
    if found is not None and not requirements.allow_duplicate_labels:
        again = labels.index(labels[found], found + 1)
        raise SourceError(
            f"{source!r}: labels {found} and {again} are both {labels[found]!r}, so no client can tell them apart; "
            "rename one, or accept it with --allow-duplicate-labels"
        )


def _find(labels: list[str], wanted: Callable[[str], bool]) -> int | None:
    return next((index for index, label in enumerate(labels) if wanted(label)), None)


def _is_encodable(label: str) -> bool:
    try:
        label.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True

"""Whole numbers of JSON files that some tool wrote as 64.0 or "64"."""

import inspect
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from utils.host.errors import SourceError

# Numbers that every model's config can hold, whatever the class says.
COMMON = ("num_labels", "pad_token_id", "bos_token_id")
# An integer parameter with such a name is a count or an index: a fraction of it has no meaning.
_COUNT = re.compile(r"(max|num|n)_\w+|\w+_(size|layers?|heads?|embeddings|positions|dim|length|id)|dim|d_model")


def whole(value: object, file: Path, key: str) -> int | None:
    """`value` as an int, None for null; SourceError naming `file` and `key` where it is no whole number."""
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,18}", value.strip(), re.ASCII):
        return int(value)
    raise SourceError(f"{str(file)!r} has {key} {value!r}, which is no whole number; correct it there")


def corrected(content: Mapping[str, Any], file: Path, config_class: type) -> dict[str, Any]:
    """A model's config.json with its whole numbers as ints: COMMON, and the counts among its class's parameters."""
    defaults = {name: each.default for name, each in inspect.signature(config_class).parameters.items()}
    numbers = {name for name, value in defaults.items() if value is None or type(value) is int}
    counts = {name for name in numbers if _COUNT.fullmatch(name)}
    return {
        key: whole(value, file, key) if key in {*counts, *COMMON} and _may_be_one(value) else value
        for key, value in content.items()
    }


def _may_be_one(value: object) -> bool:
    """Some configs take a list of counts as well, one for each layer."""
    return isinstance(value, float | str)

"""Whole numbers in JSON files that some tools write as 64.0 or "64"."""

import inspect
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from utils.host.errors import SourceError

# Numbers that every model's config can have, whatever its class.
COMMON = ("num_labels", "pad_token_id", "bos_token_id")
# An integer parameter with such a name is a count or an index, never a fraction.
_COUNT = re.compile(r"(max|num|n)_\w+|\w+_(size|layers?|heads?|embeddings|positions|dim|length|id)|dim|d_model")


def whole(value: object, file: Path, key: str) -> int | None:
    """`value` as an int, None for null; SourceError with `file` and `key` when it is not a whole number."""
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,18}", value.strip(), re.ASCII):
        return int(value)
    raise SourceError(f"{str(file)!r} has {key} {value!r}, which is not a whole number; correct it")


def corrected(content: Mapping[str, Any], file: Path, config_class: type) -> dict[str, Any]:
    """A model's config.json with whole numbers as ints: those in COMMON, and the counts of its class."""
    defaults = {name: each.default for name, each in inspect.signature(config_class).parameters.items()}
    numbers = {name for name, value in defaults.items() if value is None or type(value) is int}
    counts = {name for name in numbers if _COUNT.fullmatch(name)}
    # Some configs allow a list with one count per layer.
    return {
        key: whole(value, file, key) if key in {*counts, *COMMON} and isinstance(value, float | str) else value
        for key, value in content.items()
    }

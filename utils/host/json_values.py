"""Dataclasses from and to JSON values, with exact types; the paths in them are relative to a folder there.

cattrs is imported where it is used: arguments are checked before anything is installed.
"""

import base64
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cattrs import Converter

# What json.loads gives for a field of each type. A whole number is a valid float.
JSON_TYPES: dict[type, tuple[type, ...]] = {str: (str,), bool: (bool,), int: (int,), float: (float, int)}


def converter(folder: Path = Path()) -> "Converter":
    """Structures and unstructures values whose paths are below `folder`. Fails with one of invalid()."""
    from cattrs import Converter

    made = Converter(forbid_extra_keys=True)
    for kind in JSON_TYPES:
        made.register_structure_hook(kind, _exact)
    made.register_structure_hook(Path, lambda text, _: folder / _exact(text, str))
    made.register_unstructure_hook(Path, lambda path: path.relative_to(folder).as_posix())
    made.register_unstructure_hook(bytes, lambda value: {"base64": base64.b64encode(value).decode("ascii")})
    return made


def _exact(value: Any, kind: type) -> Any:
    if type(value) not in JSON_TYPES[kind]:
        raise TypeError(f"not {kind.__name__}: {value!r:.60}")
    return value


def invalid(*further: type[Exception]) -> tuple[type[Exception], ...]:
    """What a converter raises for JSON values that are not of the type, and `further` exceptions to catch."""
    from cattrs import BaseValidationError

    return (BaseValidationError, ValueError, TypeError, AttributeError, OverflowError, *further)


def reason(error: Exception) -> str:
    """Every problem with the place of it, such as `$.pipeline.steps[0]`."""
    from cattrs import BaseValidationError, transform_error

    return "; ".join(transform_error(error)) if isinstance(error, BaseValidationError) else repr(error)

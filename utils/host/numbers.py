"""Values on the command line: numbers, and names of a table."""

from collections.abc import Collection

from utils.host.errors import UsageError


def whole_number(name: str, text: str, *, least: int = 1, most: int = 1_000_000) -> int:
    """The number in `text`, from `least` to `most`; UsageError naming the argument `name` otherwise."""
    # int() refuses numbers with more than 4300 digits.
    if not (text.isascii() and text.isdigit() and len(text) <= 20 and least <= int(text) <= most):
        raise UsageError(f"{name} is {text!r}; it must be a whole number from {least} to {most}")
    return int(text)


def require_known(option: str, value: str, known: Collection[str]) -> str:
    """`value`; UsageError naming the option if it is not one of `known`."""
    if value not in known:
        raise UsageError(f"{option} {value!r} is not known; choose one of: {', '.join(known)}")
    return value

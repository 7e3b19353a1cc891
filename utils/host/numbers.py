"""Numbers on the command line."""

from utils.host.errors import UsageError


def whole_number(name: str, text: str, *, least: int = 1, most: int = 1_000_000) -> int:
    """The number in `text`, from `least` to `most`; UsageError naming the argument `name` otherwise."""
    # int() refuses numbers with more than 4300 digits.
    if not (text.isascii() and text.isdigit() and len(text) <= 20 and least <= int(text) <= most):
        raise UsageError(f"{name} is {text!r}; it must be a whole number from {least} to {most}")
    return int(text)

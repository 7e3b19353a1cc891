"""Numbers as a person reads them."""

UNITS = ("B", "kB", "MB", "GB", "TB")


def size(count: float) -> str:
    """Bytes as "1.23 MB"."""
    for unit in UNITS[:-1]:
        if count < 999.5:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} {UNITS[-1]}"


def seconds(value: float) -> str:
    """A time as "12.3 ms" or "1.2 s"."""
    return f"{value:.2g} s" if value >= 0.9995 else f"{1000 * value:.3g} ms"


def number(value: float) -> str:
    """A number with three digits."""
    return f"{value:.3g}"


def percent(value: float) -> str:
    """A share as "99.25%"."""
    return f"{100 * value:.4g}%"

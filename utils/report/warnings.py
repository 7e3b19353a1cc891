"""What the build warned of."""

from dataclasses import dataclass

from utils.report.section import Finished


@dataclass(frozen=True, kw_only=True)
class Warnings:
    """The texts, in the order in which they were printed."""

    texts: tuple[str, ...]


def make(finished: Finished) -> Warnings | None:
    """From build.json; None without a warning."""
    texts = tuple(finished.record.get("warnings", ()))
    return Warnings(texts=texts) if texts else None

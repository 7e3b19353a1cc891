"""The arguments of clients as rows of requests."""

from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

from triton_image_client.errors import UsageError
from triton_image_client.models import Row

# Several texts. Not Sequence[str]: a str is one.
Texts: TypeAlias = list[str] | tuple[str, ...]
Picture: TypeAlias = bytes | Path


def encode(text: str, name: str, place: int = 0) -> bytes:
    """UTF-8. UsageError for what is not a text."""
    if not isinstance(text, str):
        raise UsageError(f"{name} number {place + 1} is a {type(text).__name__}; it must be a str")
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise UsageError(f"{name} number {place + 1} is not valid Unicode: {error}") from error


def columns(**texts: str | Texts) -> list[Row]:
    """Rows with one text for each name. A single str is repeated beside a list. UsageError for different lengths."""
    lists = {name: each for name, each in texts.items() if not isinstance(each, str)}
    lengths = {name: len(each) for name, each in lists.items()}
    if len(set(lengths.values())) > 1:
        raise UsageError(f"the lists have different lengths: {lengths}")
    count = next(iter(lengths.values()), 1)
    return [
        {
            name: (encode(lists[name][place] if name in lists else str(each), name, place),)
            for name, each in texts.items()
        }
        for place in range(count)
    ]


def with_labels(texts: str | Texts, labels: Texts) -> list[Row]:
    """Rows of zero-shot classification."""
    if isinstance(labels, str) or not labels:
        raise UsageError("labels must be a list of at least one str")
    candidates = [encode(label, "candidate_labels", place) for place, label in enumerate(labels)]
    return [{**row, "candidate_labels": candidates} for row in columns(text_input=texts)]


def pictures(images: Picture | Sequence[Picture]) -> list[Row]:
    """Rows with the bytes of JPEG or PNG files."""
    several = [images] if isinstance(images, bytes | Path) else images
    return [{"image": (_read(each),)} for each in several]


def _read(image: Picture) -> bytes:
    if isinstance(image, bytes):
        return image
    try:
        return Path(image).read_bytes()
    except OSError as error:
        raise UsageError(f"{str(image)!r} cannot be read: {error.strerror}; give a JPEG or PNG file") from error

"""Reads the header of a safetensors file: the names and shapes of its tensors, without loading any.

The format: 8 bytes little-endian length, that many bytes of JSON, then the tensors' bytes to the end of the file
(https://github.com/huggingface/safetensors, "Format").
"""

import json
from pathlib import Path
from typing import Any

from utils.host.errors import SourceError
from utils.host.json_file import GIT_LFS
from utils.host.plain_file import open_plain

LONGEST_HEADER = 100_000_000  # the format's own limit

Shapes = dict[str, tuple[int, ...]]


def read_header(file: Path) -> Shapes:
    """The shape of every tensor in `file`; SourceError when it is cut short, or no safetensors file."""
    try:
        size = file.stat().st_size
        with open_plain(file) as stream:
            start = stream.read(9)
            length = int.from_bytes(start[:8], "little")
            _check_start(file, start, size, length)
            stream.seek(8)
            text = stream.read(length)
    except OSError as error:
        raise SourceError(f"{str(file)!r} cannot be read ({error.strerror}); copy it again") from error
    if len(text) < length:
        raise _cut_short(file, size, 8 + length)
    header = _parse(file, text)
    _check_size(file, header, size, 8 + length)
    return {name: tuple(tensor["shape"]) for name, tensor in header.items()}


def _check_start(file: Path, start: bytes, size: int, length: int) -> None:
    if start and GIT_LFS.startswith(start):
        raise SourceError(f"{str(file)!r} is a Git LFS pointer, not the weights; run `git lfs pull` in its repository")
    if size < 9:
        raise SourceError(f"{str(file)!r} is cut short (it has {size} bytes); download or copy it again")
    if length > LONGEST_HEADER or start[8:9] != b"{":
        raise _not_one(file)


def _parse(file: Path, text: bytes) -> dict[str, dict[str, Any]]:
    try:
        header = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _not_one(file) from error
    if not isinstance(header, dict):
        raise _not_one(file)
    header.pop("__metadata__", None)
    if not header or not all(_is_tensor(tensor) for tensor in header.values()):
        raise _not_one(file)
    return header


def _is_tensor(tensor: Any) -> bool:
    return (
        isinstance(tensor, dict)
        and isinstance(tensor.get("dtype"), str)
        and _are_numbers(tensor.get("shape"))
        and _are_numbers(tensor.get("data_offsets"))
        and len(tensor["data_offsets"]) == 2
    )


def _are_numbers(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, int) and each >= 0 for each in value)


def _check_size(file: Path, header: dict[str, dict[str, Any]], size: int, start: int) -> None:
    wanted = start + max(int(tensor["data_offsets"][1]) for tensor in header.values())
    if size < wanted:
        raise _cut_short(file, size, wanted)
    if size > wanted:
        raise SourceError(
            f"{str(file)!r} has {size} bytes but its header tells of {wanted}; it is damaged: download or copy it again"
        )


def _cut_short(file: Path, size: int, wanted: int) -> SourceError:
    return SourceError(f"{str(file)!r} is cut short ({size} of {wanted} bytes); download or copy it again")


def _not_one(file: Path) -> SourceError:
    return SourceError(
        f"{str(file)!r} is not a safetensors file, whatever its name says; save the model again with save_pretrained()"
    )

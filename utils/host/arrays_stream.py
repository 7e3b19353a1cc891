"""Sends named arrays through a pipe between two Python processes, whose numpy versions may differ."""

import io
from collections.abc import Mapping
from typing import IO, Any

import numpy as np

LENGTH_BYTES = 8


def write_arrays(stream: IO[bytes], arrays: Mapping[str, Any]) -> None:
    """Writes the length of an .npz file, then the file."""
    content = io.BytesIO()
    np.savez(content, **arrays)
    stream.write(len(content.getbuffer()).to_bytes(LENGTH_BYTES, "little") + content.getvalue())
    stream.flush()


def read_arrays(stream: IO[bytes]) -> dict[str, Any]:
    """The arrays of one `write_arrays` call, in order; empty when the other process has ended."""
    header = stream.read(LENGTH_BYTES)
    if len(header) < LENGTH_BYTES:
        return {}
    with np.load(io.BytesIO(stream.read(int.from_bytes(header, "little"))), allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}

"""Strategies that damage the structure of a JSON document, its text, or the type of a file."""

import copy
import json
import os
import string
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

Draw = st.DrawFn

# Text that no Python value is written as in JSON: {mark: text}.
RAW = {
    "<deep list>": "[" * 100_000 + "]" * 100_000,
    "<deep object>": '{"a":' * 5000 + "1" + "}" * 5000,
    "<almost too deep>": "[" * 950 + "]" * 950,
    "<unclosed>": "[[[[",
    "<huge number>": "1" + "0" * 5000,
    "<large number>": "1" + "0" * 4000,
    "<huge exponent>": "1e999999",
    "<lone surrogate>": '"\\ud800"',
    "<reversed pair>": '"\\udc00\\ud800"',
    "<control>": '"a\nb\x1b[31m"',
}
ODD: list[Any] = [
    None, True, False, 0, -1, 1, 2**31, 2**32, 2**63, 2**64, -(2**63), 0.5, -0.0, float("nan"), float("inf"), "", " ",
    "0", "-1", "01", "a", "\0", "a\nb", "\x1b[2Jx", "\ud800", "x" * 5000, "../../etc/passwd", "/", "[PAD]", "LABEL_0",
    [], {}, [[]], [{}], {"": ""}, {"id2label": {}}, [None, 1, "a"], ["a", "a"], *RAW,
]  # fmt: skip
LFS_POINTER = b"version https://git-lfs.github.com/spec/v1\noid x\n"
KEYS = st.sampled_from(["", "0", "1", "00", "-1", "id2label", "model", "vocab", "a\nb", "\ud800", "__metadata__"])


def texts(**options: Any) -> st.SearchStrategy[str]:
    """Any text, with lone surrogates."""
    return st.text(st.characters(exclude_categories=()), **options)


def odd_values() -> st.SearchStrategy[Any]:
    """A value of a wrong type: mostly a known one, sometimes any JSON."""
    scalars = st.none() | st.booleans() | st.integers() | st.floats() | texts(max_size=20)
    anything = st.recursive(
        scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts(max_size=5), inner, max_size=4)
    )
    known = st.sampled_from(ODD).map(copy.deepcopy)  # the next change may be inside it
    return known | known | anything


@st.composite
def documents(draw: Draw, valid: Any, *, most: int = 3) -> Any:
    """`valid` after up to `most` changes of its structure."""
    document = copy.deepcopy(valid)
    for _ in range(draw(st.integers(0, most))):
        document = _changed(draw, document)
    return document


def _changed(draw: Draw, document: Any) -> Any:
    places = list(_places(document))
    if not places or draw(st.integers(0, 15)) == 0:
        return draw(odd_values())
    # Half of the changes are near the root: that is where a reader looks, and long lists would take them all.
    near = [place for place in places if len(place) <= 2] if draw(st.booleans()) else places
    *way, last = draw(st.sampled_from(near or places))
    parent = document
    for step in way:
        parent = parent[step]
    change = draw(st.sampled_from(["drop", "odd", "odd", "odd", "other", "nest", "add", "rename", "repeat"]))
    if change == "drop":
        del parent[last]
    elif change == "odd":
        parent[last] = draw(odd_values())
    elif change == "other":
        parent[last] = copy.deepcopy(_at(document, draw(st.sampled_from(places))))
    elif change == "nest":
        parent[last] = [parent[last]] if draw(st.booleans()) else {draw(KEYS): parent[last]}
    elif isinstance(parent, list):
        parent.insert(last, draw(odd_values()) if change == "add" else copy.deepcopy(parent[last]))
    elif change == "rename":
        parent[draw(KEYS)] = parent.pop(last)
    else:
        parent[draw(KEYS)] = draw(odd_values())
    return document


def _places(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a document; of a list with more than 20 items only its ends."""
    if isinstance(value, dict):
        steps: Sequence[Any] = list(value)
    elif isinstance(value, list):
        steps = range(len(value))
    else:
        return
    if len(steps) > 20:
        steps = [*steps[:10], *steps[-10:]]
    for step in steps:
        yield (*way, step)
        yield from _places(value[step], (*way, step))


def _at(document: Any, way: Sequence[Any]) -> Any:
    for step in way:
        document = document[step]
    return document


def as_text(document: Any, *, repeated: bool = False) -> str:
    """JSON, with the marks of RAW replaced; `repeated` writes the first object's first member twice."""
    text = json.dumps(document, default=str)
    for mark, raw in RAW.items():
        text = text.replace(json.dumps(mark), raw)
    if repeated and isinstance(document, dict) and document:
        name = next(iter(document))
        text = text.replace("{", f"{{{json.dumps(name)}: 1, ", 1)
    return text


@st.composite
def json_files(draw: Draw, valid: Any) -> bytes:
    """The bytes of a file with `valid`: damaged in its structure and, in one of four cases, in its text."""
    text = as_text(draw(documents(valid)), repeated=draw(st.integers(0, 9)) == 0)
    content = text.encode("utf-8")
    return draw(_damaged_bytes(content)) if draw(st.integers(0, 3)) == 0 else content


@st.composite
def text_files(draw: Draw, valid: str) -> bytes:
    """The bytes of a text file with lines removed, duplicated or replaced, or with damaged bytes."""
    lines = valid.splitlines()
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, max(0, len(lines) - 1)))
        lines[at : at + 1] = draw(st.sampled_from([[], lines[at : at + 1] * 2, [draw(texts(max_size=30))]]))
    content = "\n".join(lines).encode("utf-8", "surrogatepass")
    return draw(_damaged_bytes(content)) if draw(st.integers(0, 2)) == 0 else content


@st.composite
def _damaged_bytes(draw: Draw, content: bytes) -> bytes:
    at = draw(st.integers(0, max(0, len(content) - 1)))
    rest, text = content[at:], content.decode("utf-8", "replace")
    damages: dict[str, Callable[[], bytes]] = {
        "cut": lambda: content[:at],
        "flip": lambda: content[:at] + bytes([draw(st.integers(0, 255))]) + rest[1:],
        "insert": lambda: content[:at] + draw(st.binary(max_size=8)) + rest,
        "mark": lambda: b"\xef\xbb\xbf" + content,
        "utf-16": lambda: text.encode("utf-16"),
        "utf-32": lambda: text.encode("utf-32"),
        "latin": lambda: "é".encode("latin-1") + content,
        "raw": lambda: draw(st.binary(max_size=200)),
        "known": lambda: draw(st.sampled_from([b"", b"\0", b"{", b"null", LFS_POINTER])),
    }
    return damages[draw(st.sampled_from(sorted(damages)))]()


# Other types of files in place of a file.
KINDS: dict[str, Callable[[Path], None]] = {
    "nothing": lambda path: None,
    "folder": lambda path: path.mkdir(),
    "link to nowhere": lambda path: path.symlink_to("nowhere"),
    "link to itself": lambda path: path.symlink_to(path.name),
    "link to its folder": lambda path: path.symlink_to("."),
    "pipe": os.mkfifo,
    "endless device": lambda path: path.symlink_to("/dev/zero"),
    "empty device": lambda path: path.symlink_to("/dev/null"),
}


def place(path: Path, content: bytes | str) -> None:
    """Puts bytes, or one of KINDS, at `path`."""
    path.unlink(missing_ok=True)
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        KINDS[content](path)


def around(file: Path, content: bytes | str, judge: Callable[[], Any]) -> Any:
    """Writes `content` to `file` for the duration of one check."""
    kept = file.read_bytes() if file.is_file() else None
    place(file, content)
    try:
        return judge()
    finally:
        file.rmdir() if file.is_dir() and not file.is_symlink() else file.unlink(missing_ok=True)
        if kept is not None:
            file.write_bytes(kept)


def or_kinds(contents: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes | str]:
    """Bytes, or in one of ten cases one of KINDS."""
    return st.integers(0, 9).flatmap(lambda turn: st.sampled_from(sorted(KINDS)) if turn == 0 else contents)


def names() -> st.SearchStrategy[str]:
    """Near misses of names, tags and references; never a NUL, which no argument can hold."""
    pieces = st.sampled_from(["a", "A", "0", ".", "_", "__", "-", "/", ":", "@", " ", "\n", "~", "sha256:", "%s", "é"])
    plain = st.lists(pieces, max_size=12).map("".join)
    ascii_text = st.text(string.printable, max_size=20)
    long = st.tuples(plain, st.integers(0, 100_000)).map(lambda pair: pair[0] + "a" * pair[1])
    hostile = st.tuples(st.sampled_from(["a-", "a.", "a/", "_", "a:", "-"]), st.integers(1, 20_000)).map(
        lambda pair: pair[0] * pair[1] + "!"
    )
    return (plain | plain | ascii_text | texts(max_size=20) | long | hostile).map(lambda text: text.replace("\0", ""))

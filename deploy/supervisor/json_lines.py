"""The container's log as JSON: one object a line, with timestamp (RFC 3339, UTC), level, source and message."""

import json
import re
import time
from functools import lru_cache
from typing import Any

LEVELS = {b"I": "info", b"W": "warning", b"E": "error", b"F": "error"}
# Triton's two formats, --log-format=default (without the year) and ISO8601 (common, src/logging.cc, r26.08).
_DEFAULT = re.compile(rb"([IWEF])([01][0-9])([0-3][0-9]) ([0-9:]{8}\.[0-9]{6}) ([0-9]+) ([^\s\]]+)\] (.*)", re.DOTALL)
_ISO = re.compile(rb"([0-9-]{10}T[0-9:]{8}Z) ([IWEF]) ([0-9]+) ([^\s\]]+)\] (.*)", re.DOTALL)
_ENCODER = json.JSONEncoder(separators=(",", ":"))
_OURS = re.compile(rb"(supervisor|guard): (.*)", re.DOTALL)


def timestamp(seconds: float) -> str:
    """A time since the epoch in RFC 3339, with milliseconds."""
    return f"{_second(int(seconds))}.{int(seconds % 1 * 1000):03}Z"


@lru_cache(maxsize=1)
def _second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


def encoded(record: dict[str, Any]) -> bytes:
    """The record as one line, in ASCII."""
    return _ENCODER.encode(record).encode() + b"\n"


def line(level: str, source: str, message: str, **more: Any) -> bytes:
    """A line of now."""
    now = timestamp(time.time())
    return encoded({"timestamp": now, "level": level, "source": source, "message": message, **more})


def converted(text: bytes) -> bytes:
    """A line of another process, without its newline.

    Lines that have none of the known forms, such as Triton's tables and what models print, have the source "output".
    """
    text = text.rstrip(b"\r")
    if found := _DEFAULT.fullmatch(text):
        letter, month, day, clock, pid, place, message = found.groups()
        when = f"{_year(int(month))}-{month.decode()}-{day.decode()}T{clock.decode()}Z"
    elif found := _ISO.fullmatch(text):
        moment, letter, pid, place, message = found.groups()
        when = moment.decode()
    elif found := _OURS.fullmatch(text):
        return line("error", found[1].decode(), _decoded(found[2]))
    else:
        return line("info", "output", _decoded(text))
    record = {"timestamp": when, "level": LEVELS[letter], "source": "triton", "message": _unquoted(message)}
    return encoded({**record, "process": int(pid), "at": _decoded(place)})


def _year(month: int) -> int:
    """The year of a line of that month: a line of December may be read in January."""
    now = time.gmtime()
    return now.tm_year - (month > now.tm_mon)


def _unquoted(message: bytes) -> str:
    """Triton writes messages as JSON strings, and older releases as they are."""
    text = _decoded(message)
    if text[:1] == text[-1:] == '"':
        try:
            return str(json.loads(text))
        except ValueError:
            pass
    return text


def _decoded(text: bytes) -> str:
    return text.decode("utf-8", "backslashreplace")

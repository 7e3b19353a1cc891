"""The time that a repeatable build states: SOURCE_DATE_EPOCH (reproducible-builds.org). Standard library only."""

import os
import time
from datetime import datetime, timezone

from utils.host.errors import UsageError

VARIABLE = "SOURCE_DATE_EPOCH"


def stated() -> int | None:
    """The seconds since 1970 in SOURCE_DATE_EPOCH; None if it is not set. UsageError for anything else."""
    text = os.environ.get(VARIABLE, "")
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= 11):
        raise UsageError(f"{VARIABLE} is {text!r}; set it to a whole number of seconds since 1970, or unset it")
    return int(text)


def of_files() -> int:
    """The modification time of the files of an image. Without SOURCE_DATE_EPOCH the same for all builds."""
    return stated() or 0


def now() -> datetime:
    """The time of a build, in UTC and whole seconds: SOURCE_DATE_EPOCH, else the clock's."""
    seconds = stated()
    return datetime.fromtimestamp(int(time.time()) if seconds is None else seconds, timezone.utc)


def as_text(moment: datetime) -> str:
    """RFC 3339: 2026-01-31T12:00:00Z."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")

"""Reads the small JSON files of a model or tokenizer."""

import json
from pathlib import Path
from typing import Any

from utils.host.errors import SourceError
from utils.host.plain_file import read_plain

GIT_LFS = b"version https://git-lfs"


def read_text(file: Path, remedy: str) -> str:
    """The text of `file` (UTF-8, with or without a byte order mark); SourceError ending in `remedy`."""
    try:
        content = read_plain(file)
        if content.startswith(GIT_LFS):
            raise SourceError(f"{str(file)!r} is a Git LFS pointer; run `git lfs pull` in its repository")
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceError(f"{str(file)!r} is not UTF-8 (byte {error.start}); {remedy}") from error
    except OSError as error:
        raise SourceError(f"{str(file)!r} cannot be read ({error.strerror}); {remedy}") from error


def read_json(file: Path, remedy: str) -> Any:
    """The content of `file`; SourceError as in read_text, and for text that is not JSON."""
    try:
        return json.loads(read_text(file, remedy))
    except (ValueError, RecursionError) as error:  # ValueError: also for a number with too many digits
        raise SourceError(f"{str(file)!r} is not valid JSON ({error}); {remedy}") from error


def read_json_object(file: Path, remedy: str) -> dict[str, Any]:
    """The JSON object in `file`, empty if there is no such file. Errors as in read_json."""
    if not exists(file):
        return {}
    content = read_json(file, remedy)
    if not isinstance(content, dict):
        raise SourceError(f"{str(file)!r} does not contain a JSON object; {remedy}")
    return content


def exists(file: Path) -> bool:
    """Whether `file` exists; SourceError for a broken link, because the folder is damaged then."""
    if file.is_symlink() and not file.exists():
        raise SourceError(
            f"{str(file)!r} is a link to {str(file.readlink())!r}, which does not exist; copy the folder with "
            "the files that its links point to"
        )
    return file.exists()

"""Reads the small JSON files of a model or tokenizer, with a reason for each that cannot be read."""

import json
from pathlib import Path
from typing import Any

from utils.host.errors import SourceError
from utils.host.plain_file import read_plain

GIT_LFS = b"version https://git-lfs"


def read_json(file: Path, remedy: str) -> Any:
    """The content of `file` (UTF-8, a byte order mark is no harm); SourceError ending in `remedy`."""
    try:
        content = read_plain(file)
        if content.startswith(GIT_LFS):
            raise SourceError(f"{str(file)!r} is a Git LFS pointer; run `git lfs pull` in its repository")
        return json.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise SourceError(f"{str(file)!r} is not UTF-8 (byte {error.start}); {remedy}") from error
    except OSError as error:
        raise SourceError(f"{str(file)!r} cannot be read ({error.strerror}); {remedy}") from error
    except (ValueError, RecursionError) as error:  # ValueError: also a number of more digits than Python converts
        raise SourceError(f"{str(file)!r} is not readable as JSON ({error}); {remedy}") from error


def read_json_object(file: Path, remedy: str) -> dict[str, Any]:
    """As read_json, for a file that holds an object; one that is not there reads as empty."""
    if not is_there(file):
        return {}
    content = read_json(file, remedy)
    if not isinstance(content, dict):
        raise SourceError(f"{str(file)!r} holds no JSON object; {remedy}")
    return content


def is_there(file: Path) -> bool:
    """Also true for a link to nowhere: that is a damaged folder, not one without the file."""
    if file.is_symlink() and not file.exists():
        raise SourceError(
            f"{str(file)!r} is a link to {str(file.readlink())!r}, which does not exist; copy the folder with "
            "the files behind its links"
        )
    return file.exists()

"""local: a folder or a file on this machine, used in place."""

import re
from pathlib import Path

from utils.host import digest
from utils.host.errors import SourceError
from utils.sources.storage import METADATA, WEIGHTS, matches

_LIKE_A_HUB_NAME = re.compile(r"\w[\w.-]*/\w[\w.-]*(@\S+)?")


def resolve(locator: str) -> str:
    """`sha256:` and 16 hex digits of a digest of the names and contents of the files that a build may read."""
    path = _existing(locator)
    try:
        return f"sha256:{digest.of_files(_relevant(path))[:16]}"
    except OSError as error:
        raise SourceError(
            f"{error.filename or locator!r} cannot be read ({error.strerror}); give this user read access"
        ) from error


def fetch(locator: str, revision: str, patterns: tuple[str, ...], destination: Path) -> Path:
    """The folder or file itself; nothing is copied."""
    del revision, patterns, destination  # parameters of every storage; not needed here
    return _existing(locator)


def _existing(locator: str) -> Path:
    if not locator.strip():
        raise SourceError("the reference is empty; pass a path, hf:user/name or clearml:<model id>")
    try:
        path = Path(locator).expanduser()
        if path.exists():
            return path
        broken_link = path.is_symlink()
    except (OSError, RuntimeError) as error:
        # No permission on the way, a name of more than 255 bytes, `~nobody-of-that-name`.
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise SourceError(f"{locator!r} cannot be accessed ({reason}); check the path") from error
    if broken_link:
        raise SourceError(f"{locator!r} is a link to {str(path.readlink())!r}, which does not exist; correct the link")
    if _LIKE_A_HUB_NAME.fullmatch(locator):
        raise SourceError(
            f"{locator!r} does not exist in {Path.cwd()}; check the path, or write hf:{locator} "
            "for the repository on the hub"
        )
    raise SourceError(f"{locator!r} does not exist (current folder: {Path.cwd()}); check the path")


def _relevant(path: Path) -> dict[str, Path]:
    """The files by name, sorted."""
    if path.is_file():
        return {path.name: path}
    deeper = [file for pattern in METADATA + WEIGHTS if "/" in pattern for file in path.glob(pattern)]
    names = {file.relative_to(path).as_posix(): file for file in [*path.iterdir(), *deeper] if file.is_file()}
    return {name: names[name] for name in sorted(names) if matches(name, METADATA + WEIGHTS)}

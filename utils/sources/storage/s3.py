"""s3: `bucket/prefix` in S3 or a compatible server (AWS_ENDPOINT_URL and the other AWS_ variables)."""

import contextlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Protocol, cast

from utils.host import digest
from utils.host.errors import SourceError
from utils.sources.storage import METADATA, WEIGHTS, matches

# Two tries in less than bounded.FIRST_ANSWER_SECONDS, so that the client's own reason is reported.
_CONFIGURATION = {"connect_timeout": 8, "read_timeout": 12, "retries": {"total_max_attempts": 2}}


class _FileSystem(Protocol):
    """The used methods of s3fs.S3FileSystem."""

    retries: int

    def find(self, path: str, *, maxdepth: int, detail: bool, on_error: str) -> dict[str, dict[str, str]]: ...

    def get_file(self, rpath: str, lpath: str) -> None: ...


def resolve(locator: str) -> str:
    """`etag:` and 16 hex digits of a digest of the names and ETags of the objects directly below the prefix."""
    with _explained(locator):
        return _revision(_objects(_open(), locator))


def fetch(locator: str, revision: str, patterns: tuple[str, ...], destination: Path) -> Path:
    """Downloads the objects below the prefix whose names match into `destination`."""
    destination.mkdir(parents=True, exist_ok=True)
    with _explained(locator):
        storage = _open()
        objects = _objects(storage, locator)
        if _revision(objects) != revision:
            raise SourceError(
                f"s3:{locator} changed during the download (it was {revision}); run the same command again"
            )
        for key in objects:
            name = _name(key, locator)
            if matches(name, patterns):
                (destination / name).parent.mkdir(exist_ok=True)
                storage.get_file(key, str(destination / name))
    return destination


def _open() -> _FileSystem:
    try:
        import s3fs
    except ImportError as error:
        raise SourceError("s3: needs the package s3fs; install it with: pip install s3fs") from error
    storage = cast(_FileSystem, s3fs.S3FileSystem(config_kwargs=_CONFIGURATION, skip_instance_cache=True))
    storage.retries = 1  # on top of those of the configuration
    return storage


def _objects(storage: _FileSystem, locator: str) -> dict[str, str]:
    """The ETags by key of all objects directly below the prefix, and of those in subfolders that a build reads."""
    found = storage.find(locator.strip("/"), maxdepth=2, detail=True, on_error="raise")
    taken = METADATA + WEIGHTS
    objects = {
        key: entry["ETag"]
        for key, entry in found.items()
        if entry["type"] == "file" and ("/" not in _name(key, locator) or matches(_name(key, locator), taken))
    }
    if not objects:
        raise SourceError(f"s3:{locator} has no objects; write s3:bucket/prefix with the model's files")
    return objects


def _name(key: str, locator: str) -> str:
    """The part of the key after the prefix, or the object's name if the reference is a single object."""
    folder, path = PurePosixPath(locator.strip("/")), PurePosixPath(key)
    return path.name if path == folder else path.relative_to(folder).as_posix()


def _revision(objects: dict[str, str]) -> str:
    lines = "".join(f"{key}\0{objects[key]}\n" for key in sorted(objects))
    return f"etag:{digest.of_text(lines)[:16]}"


@contextlib.contextmanager
def _explained(locator: str) -> Iterator[None]:
    """Raises the client's errors inside the block as SourceError. s3fs raises the server's refusals as OSError."""
    from aiohttp import ClientError
    from botocore.exceptions import BotoCoreError, NoCredentialsError  # type: ignore[import-untyped]

    try:
        yield
    except NoCredentialsError as error:
        raise SourceError(
            f"no AWS credentials for s3:{locator}; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
        ) from error
    except BotoCoreError as error:
        raise SourceError(
            f"the S3 server for s3:{locator} cannot be reached ({type(error).__name__}); "
            "check AWS_ENDPOINT_URL, AWS_REGION and the network"
        ) from error
    except FileNotFoundError as error:
        raise SourceError(f"s3:{locator} does not exist; check the bucket and the prefix") from error
    except PermissionError as error:
        raise SourceError(f"s3:{locator} cannot be read with these AWS credentials; use others") from error
    except (ClientError, OSError) as error:
        raise SourceError(
            f"the connection to the S3 server was lost or it failed while reading s3:{locator} "
            f"({type(error).__name__}: {error}); run the same command again"
        ) from error

"""s3: `bucket/prefix` in S3 or a compatible server (AWS_ENDPOINT_URL and the other AWS_ variables)."""

from typing import Protocol, cast

from utils.host.errors import SourceError
from utils.sources.storage.object_store import Entry, Prefix, functions

# Two tries in less than bounded.FIRST_ANSWER_SECONDS, so that the client's own reason is reported.
_CONFIGURATION = {"connect_timeout": 8, "read_timeout": 12, "retries": {"total_max_attempts": 2}}


class _FileSystem(Protocol):
    """The used methods of s3fs.S3FileSystem."""

    retries: int

    def find(
        self, path: str, *, maxdepth: int, detail: bool, on_error: str, refresh: bool
    ) -> dict[str, dict[str, str]]: ...

    def get_file(self, rpath: str, lpath: str) -> None: ...


def _prefix(locator: str) -> Prefix:
    storage = _open()

    def listed() -> dict[str, Entry]:
        found = storage.find(locator.strip("/"), maxdepth=2, detail=True, on_error="raise", refresh=True)
        files = {key: entry for key, entry in found.items() if entry["type"] == "file"}
        return {key: Entry(tag=str(entry["ETag"]), size=int(entry["size"])) for key, entry in files.items()}

    return Prefix(
        scheme="s3",
        locator=locator,
        listed=listed,
        download=lambda key, file: storage.get_file(key, str(file)),
    )


def _open() -> _FileSystem:
    try:
        import s3fs
    except ImportError as error:
        raise SourceError("s3: needs the package s3fs; install it with: pip install s3fs") from error
    storage = cast(_FileSystem, s3fs.S3FileSystem(config_kwargs=_CONFIGURATION, skip_instance_cache=True))
    storage.retries = 1  # on top of those of the configuration
    return storage


def _sentence(locator: str, error: Exception) -> str | None:
    """s3fs raises the server's refusals as OSError."""
    from aiohttp import ClientError
    from botocore.exceptions import BotoCoreError, NoCredentialsError  # type: ignore[import-untyped]

    if isinstance(error, NoCredentialsError):
        return f"no AWS credentials for s3:{locator}; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
    if isinstance(error, BotoCoreError):
        return (
            f"the S3 server for s3:{locator} cannot be reached ({type(error).__name__}); "
            "check AWS_ENDPOINT_URL, AWS_REGION and the network"
        )
    if isinstance(error, FileNotFoundError):
        return f"s3:{locator} does not exist; check the bucket and the prefix"
    if isinstance(error, PermissionError):
        return f"s3:{locator} cannot be read with these AWS credentials; use others"
    if isinstance(error, ClientError | OSError):
        return (
            f"the connection to the S3 server was lost or it failed while reading s3:{locator} "
            f"({type(error).__name__}: {error}); run the same command again"
        )
    return None


resolve, fetch = functions(_prefix, _sentence)

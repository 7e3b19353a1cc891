"""gs: `bucket/prefix` in Google Cloud Storage, with the credentials of gcloud, or anonymously.

The client reads GOOGLE_APPLICATION_CREDENTIALS and STORAGE_EMULATOR_HOST.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from utils.sources.storage.object_store import Entry, Prefix, functions, split

if TYPE_CHECKING:
    from google.cloud.storage import Client

_SCOPE = "https://www.googleapis.com/auth/devstorage.read_only"
# Seconds to connect, and between bytes. Two tries take less than bounded.FIRST_ANSWER_SECONDS.
_TIMEOUT = (6.0, 12.0)
_RETRY_SECONDS = 10.0


def _prefix(locator: str) -> Prefix:
    bucket_name, prefix = split("gs", locator)
    client = _client()
    from google.cloud.storage.retry import DEFAULT_RETRY

    waits = {"timeout": _TIMEOUT, "retry": DEFAULT_RETRY.with_timeout(_RETRY_SECONDS)}
    bucket = client.bucket(bucket_name)

    def listed() -> dict[str, Entry]:
        blobs = client.list_blobs(bucket, prefix=prefix or None, **waits)
        # A generation is the number of one content under a name; it is never used again.
        return {f"{bucket_name}/{blob.name}": Entry(tag=str(blob.generation), size=int(blob.size)) for blob in blobs}

    def download(key: str, file: Path) -> None:
        bucket.blob(key.partition("/")[2]).download_to_filename(str(file), checksum="auto", **waits)

    return Prefix(scheme="gs", locator=locator, listed=listed, download=download)


def _client() -> "Client":
    import google.auth
    from google.auth.exceptions import DefaultCredentialsError
    from google.cloud.storage import Client

    if os.environ.get("STORAGE_EMULATOR_HOST") and not os.environ.get("GOOGLE_APPLICATION_CREDENTIALS"):
        return Client.create_anonymous_client()
    try:
        credentials, project = google.auth.default(scopes=[_SCOPE])
    except DefaultCredentialsError:
        if os.environ.get("GOOGLE_APPLICATION_CREDENTIALS"):
            raise
        return Client.create_anonymous_client()  # public buckets
    return Client(project=project or "<none>", credentials=credentials)


def _sentence(locator: str, error: Exception) -> str | None:
    import requests
    from google.api_core.exceptions import GoogleAPICallError, RetryError
    from google.auth.exceptions import GoogleAuthError
    from google.cloud.storage.exceptions import DataCorruption

    if isinstance(error, GoogleAPICallError | RetryError | requests.RequestException | ConnectionError):
        cause = error.cause if isinstance(error, RetryError) else error
        return _by_status(locator, getattr(cause, "code", None), type(cause).__name__)
    if isinstance(error, GoogleAuthError):
        return (
            f"no valid Google credentials for gs:{locator} ({type(error).__name__}); run "
            "`gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS to a key file"
        )
    if isinstance(error, DataCorruption):
        return f"a file of gs:{locator} does not have the checksum of the stored object; run the same command again"
    if isinstance(error, ValueError | AttributeError):  # AttributeError: the client's, for an error in another form
        return (
            f"the answer for gs:{locator} is not that of Google Cloud Storage ({type(error).__name__}); check "
            "STORAGE_EMULATOR_HOST and the proxy"
        )
    return None


def _by_status(locator: str, status: int | None, kind: str) -> str:
    if status == 404:
        return f"gs:{locator} does not exist; check the bucket and the prefix"
    if status in (401, 403):
        return (
            f"gs:{locator} cannot be read with these Google credentials ({status}); use those of an account with the "
            "role Storage Object Viewer"
        )
    if status is not None:
        return f"Google Cloud Storage failed with status {status} for gs:{locator}; run the same command again later"
    return (
        f"Google Cloud Storage cannot be reached for gs:{locator}, or the connection was lost ({kind}); check the "
        "network, HTTPS_PROXY and STORAGE_EMULATOR_HOST"
    )


resolve, fetch = functions(_prefix, _sentence)

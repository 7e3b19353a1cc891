"""az: `container/prefix` in Azure Blob Storage.

The account is that of AZURE_STORAGE_CONNECTION_STRING, or AZURE_STORAGE_ACCOUNT with AZURE_STORAGE_KEY,
AZURE_STORAGE_SAS_TOKEN or the default credential of azure-identity (az login, a managed identity, AZURE_CLIENT_ID ...).
"""

import base64
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from utils.host.errors import SourceError
from utils.sources.storage.object_store import Entry, Prefix, functions, split

if TYPE_CHECKING:
    from azure.storage.blob import BlobServiceClient

# Seconds to connect, and between bytes. Two tries take less than bounded.FIRST_ANSWER_SECONDS.
_TIMEOUT = {"connection_timeout": 5.0, "read_timeout": 8.0}
_SECONDS_BEFORE_RETRY = 1


def _prefix(locator: str) -> Prefix:
    name, prefix = split("az", locator)
    container = _client(locator).get_container_client(name)

    def listed() -> dict[str, Entry]:
        blobs = container.list_blobs(name_starts_with=prefix or None)
        return {
            f"{name}/{blob.name}": Entry(tag=blob.etag, size=blob.size, md5=_md5(blob.content_settings.content_md5))
            for blob in blobs
        }

    def download(key: str, file: Path) -> None:
        with file.open("wb") as stream:
            container.download_blob(key.partition("/")[2]).readinto(stream)

    return Prefix(scheme="az", locator=locator, listed=listed, download=download)


def _md5(digest: bytearray | None) -> str | None:
    """In base64. A blob that was uploaded in blocks has none, unless its client added it."""
    return base64.b64encode(digest).decode() if digest else None


def _client(locator: str) -> "BlobServiceClient":
    from azure.storage.blob import BlobServiceClient, LinearRetry

    options: dict[str, Any] = {
        **_TIMEOUT,
        "retry_policy": LinearRetry(backoff=_SECONDS_BEFORE_RETRY, retry_total=1, random_jitter_range=0),
    }
    if connection := os.environ.get("AZURE_STORAGE_CONNECTION_STRING"):
        return BlobServiceClient.from_connection_string(connection, **options)
    account = os.environ.get("AZURE_STORAGE_ACCOUNT")
    if not account:
        raise SourceError(
            f"no Azure account for az:{locator}; set AZURE_STORAGE_ACCOUNT, or AZURE_STORAGE_CONNECTION_STRING"
        )
    key: Any = os.environ.get("AZURE_STORAGE_KEY") or os.environ.get("AZURE_STORAGE_SAS_TOKEN")
    if not key:
        from azure.identity import DefaultAzureCredential

        key = DefaultAzureCredential()
    return BlobServiceClient(f"https://{account}.blob.core.windows.net", credential=key, **options)


def _sentence(locator: str, error: Exception) -> str | None:
    from azure.core import exceptions

    if isinstance(error, exceptions.HttpResponseError):
        return _by_status(locator, error.status_code, type(error).__name__)
    if isinstance(error, exceptions.AzureError):
        return (
            f"Azure Blob Storage cannot be reached for az:{locator}, or the connection was lost "
            f"({type(error).__name__}); check AZURE_STORAGE_ACCOUNT, the network and HTTPS_PROXY"
        )
    if isinstance(error, ValueError):
        return (
            f"AZURE_STORAGE_CONNECTION_STRING or the key for az:{locator} is not valid ({type(error).__name__}); copy "
            "it again from the access keys of the storage account"
        )
    return None


def _by_status(locator: str, status: int | None, kind: str) -> str:
    if status == 404:
        return f"az:{locator} does not exist; check the container and the prefix"
    if status in (401, 403) or kind == "ClientAuthenticationError":
        return (
            f"az:{locator} cannot be read with these Azure credentials ({status or kind}); set AZURE_STORAGE_KEY or "
            "AZURE_STORAGE_SAS_TOKEN, or run `az login` with an account that has the role Storage Blob Data Reader"
        )
    if status is not None and status >= 400:
        return f"Azure Blob Storage failed with status {status} for az:{locator}; run the same command again later"
    return f"the answer for az:{locator} is not that of Azure Blob Storage ({kind}); check the account and the proxy"


resolve, fetch = functions(_prefix, _sentence)

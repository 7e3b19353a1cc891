"""mlflow: a model of an MLflow server, `models:/name@alias`, `models:/name/version` or `runs:/run id/path`.

The server is MLFLOW_TRACKING_URI. Of a model logged by mlflow.transformers, the result has the files of the model and
of its tokenizer in one folder, as save_pretrained() writes them.
"""

import os
import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from utils.host import digest
from utils.host.errors import SourceError
from utils.sources.storage import matches
from utils.sources.storage.archive import held_below
from utils.sources.storage.quiet import silence
from utils.sources.storage.scrub import explained, scrub

if TYPE_CHECKING:
    from mlflow.store.artifact.artifact_repo import ArtifactRepository  # type: ignore[import-not-found]

# No usage statistics; below bounded.FIRST_ANSWER_SECONDS, so that the client's own reason is reported.
SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "15",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_ENABLE_MULTIPART_DOWNLOAD": "false",
}
_MODEL = re.compile(r"models:/(?P<name>[^/@]+)(@(?P<alias>[^/@]+)|/(?P<version>\d+))")
_RUN = re.compile(r"runs:/[0-9a-f]{32}(/[^/]+)+/?|models:/m-[0-9a-f]{32}")
_DEEPEST = 4
_FLAVOUR = "MLmodel"


def resolve(locator: str) -> str:
    """`version 3`, or of a run `files:` and 16 hex digits of a digest of its files' names and sizes."""
    with explained(partial(_sentence, locator)):
        version = _version(locator)
        return f"version {version}" if version else _digest(_files(_artifacts(locator)))


def fetch(locator: str, revision: str, patterns: tuple[str, ...], destination: Path) -> Path:
    """Downloads the files of the model and its tokenizer that match, into one folder below `destination`."""
    folder = destination / "files"
    folder.mkdir(parents=True, exist_ok=True)
    with explained(partial(_sentence, locator)), silence():
        uri = f"{locator.partition('@')[0]}/{revision.rsplit(maxsplit=1)[-1]}" if "@" in locator else locator
        artifacts = _artifacts(uri)
        files = _files(artifacts)
        if revision.startswith("files:") and _digest(files) != revision:
            raise SourceError(
                f"mlflow:{locator} changed after it was resolved ({revision}); run the same command again"
            )
        for name, path in _paths_by_name(artifacts, files, destination, locator).items():
            if matches(name, patterns) and not (folder / name).exists():
                _download(artifacts, path, files[path], folder / name, locator)
    return folder


def _version(locator: str) -> str | None:
    """The version that an alias or a number names; None for files of a run. SourceError for what is neither."""
    match = _MODEL.fullmatch(locator)
    if not match and not _RUN.fullmatch(locator):
        raise SourceError(
            f"'mlflow:{locator}' is no model; write mlflow:models:/name@alias, mlflow:models:/name/version or "
            "mlflow:runs:/run-id/path"
        )
    if not match:
        return None
    client = _client()
    if match["alias"]:
        return str(client.get_model_version_by_alias(match["name"], match["alias"]).version)
    return str(client.get_model_version(match["name"], match["version"]).version)


def _client() -> Any:
    os.environ.update({name: value for name, value in SETTINGS.items() if name not in os.environ})
    if not os.environ.get("MLFLOW_TRACKING_URI"):
        raise SourceError("MLFLOW_TRACKING_URI is not set; set it to the address of the MLflow server")
    from mlflow import MlflowClient  # type: ignore[import-not-found]

    return MlflowClient()


def _artifacts(uri: str) -> "ArtifactRepository":
    _client()
    from mlflow.store.artifact.artifact_repository_registry import (  # type: ignore[import-not-found]
        get_artifact_repository,
    )

    return get_artifact_repository(uri.rstrip("/"))


def _files(artifacts: "ArtifactRepository") -> dict[str, int]:
    """{path: size in bytes} of the files, without those in deep folders."""
    found: dict[str, int] = {}
    level = [""]
    for _ in range(_DEEPEST):
        entries = [entry for folder in level for entry in artifacts.list_artifacts(folder or None)]
        found |= {entry.path: int(entry.file_size or 0) for entry in entries if not entry.is_dir}
        level = [entry.path for entry in entries if entry.is_dir]
    return found


def _digest(files: Mapping[str, int]) -> str:
    lines = "".join(f"{path}\0{files[path]}\n" for path in sorted(files))
    return f"files:{digest.of_text(lines)[:16]}"


def _paths_by_name(
    artifacts: "ArtifactRepository", files: Mapping[str, int], destination: Path, locator: str
) -> dict[str, str]:
    """{name in the result: path in the store}: a model and its tokenizer are in two folders of a transformers model."""
    root = held_below(files, f"mlflow:{locator}")
    folders = [root]
    if _FLAVOUR in files:
        flavour = _transformers_flavour(artifacts, files[_FLAVOUR], destination, locator)
        if flavour is not None:
            folders = [f"{flavour}/", "components/tokenizer/"]
    # Of two files with one name, that of the model counts.
    return {
        path.removeprefix(folder): path for folder in reversed(folders) for path in files if path.startswith(folder)
    }


def _transformers_flavour(artifacts: "ArtifactRepository", size: int, destination: Path, locator: str) -> str | None:
    """The folder of the model, or of its adapter, that mlflow.transformers wrote; None for other flavours."""
    import yaml

    file = destination / _FLAVOUR
    if not file.exists():
        _download(artifacts, _FLAVOUR, size, file, locator)
    try:
        flavour = yaml.safe_load(file.read_text(encoding="utf-8"))["flavors"].get("transformers")
        if flavour is None:
            return None
        held = flavour.get("peft_adaptor") or flavour.get("model_binary")
        source = flavour.get("source_model_name")
    except (ValueError, TypeError, LookupError, AttributeError, yaml.YAMLError) as error:
        raise SourceError(f"the file MLmodel of mlflow:{locator} cannot be read ({type(error).__name__})") from error
    if not held:
        raise SourceError(
            f"mlflow:{locator} was logged without weights (save_pretrained=False) and names the model {source!r}; use "
            f"hf:{source}"
        )
    return str(held).strip("/")


def _download(artifacts: "ArtifactRepository", path: str, size: int, file: Path, locator: str) -> None:
    unfinished = file.with_name(f"{file.name}.part")
    file.parent.mkdir(parents=True, exist_ok=True)
    # download_artifacts() lists the folders again and hides the reason of a failure.
    artifacts._download_file(path, str(unfinished))
    if unfinished.stat().st_size != size:
        raise SourceError(
            f"mlflow:{locator} gave {unfinished.stat().st_size} bytes of {path!r}, which has {size}; run the same "
            "command again"
        )
    unfinished.rename(file)


def _sentence(locator: str, error: Exception) -> str | None:
    import requests

    reference = f"mlflow:{locator}"
    server = scrub(os.environ.get("MLFLOW_TRACKING_URI", ""))
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return (
            f"the connection to {server} was lost while downloading a file of {reference}; run the same command again"
        )
    if isinstance(error, ModuleNotFoundError):
        return (
            f"the files of {reference} are in a store that needs the package {error.name}; let the MLflow server "
            "serve its artifacts (mlflow server --serve-artifacts)"
        )
    if "error_code" not in getattr(error, "json", {"error_code": ""}):  # an answer in JSON, but not of MLflow
        return (
            f"{server} refuses {reference}, and its answer is not an MLflow server's; check MLFLOW_TRACKING_URI and "
            "MLFLOW_TRACKING_TOKEN"
        )
    status = _status(error)
    if status is not None:
        return _by_status(status, reference, server)
    if isinstance(error, ValueError | KeyError | AttributeError | TypeError) or "valid JSON" in str(error):
        return f"the answer of {server} for {reference} is not an MLflow server's; check MLFLOW_TRACKING_URI"
    return None


def _status(error: Exception) -> int | None:
    """The status of the answer; 0 if there is none; None for errors of another kind."""
    import requests
    from mlflow.exceptions import MlflowException  # type: ignore[import-not-found]

    if isinstance(error, MlflowException):
        text = str(error)
        if found := re.search(r"error code (\d{3})|too many (\d{3}) error", text):
            return int(found[1] or found[2])
        if "valid JSON" in text:
            return None
        silent = "with exception" in text or "timed out" in text.lower()
        return 0 if silent else int(error.get_http_status_code())
    if isinstance(error, requests.RequestException) and not isinstance(error, ValueError):
        return error.response.status_code if error.response is not None else 0
    return None


def _by_status(status: int, reference: str, server: str) -> str:
    if status == 0:
        return f"{server} does not answer for {reference}; check the network and MLFLOW_TRACKING_URI"
    if status in (401, 403):
        return (
            f"{server} refuses {reference} ({status}); set MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and "
            "MLFLOW_TRACKING_PASSWORD, of an account that may read it"
        )
    if status == 404:
        return f"{server} has no {reference}; check its name, and its version or alias"
    if status == 429:
        return f"{server} limits the rate of requests (429) for {reference}; wait a few minutes"
    if status >= 500:
        return f"{server} failed with status {status} for {reference}; run the same command again later"
    return f"{server} answered {status} for {reference}; check the reference and MLFLOW_TRACKING_URI"

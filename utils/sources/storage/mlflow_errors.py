"""Turns the errors of the MLflow client into one sentence each."""

import contextlib
import os
import re
from collections.abc import Iterator

from utils.host.errors import SourceError
from utils.sources.storage.scrub import scrub


@contextlib.contextmanager
def explained(locator: str) -> Iterator[None]:
    """Raises the client's errors inside the block as SourceErrors; others pass."""
    try:
        yield
    except SourceError:
        raise
    except Exception as error:
        sentence = _sentence(error, f"mlflow:{locator}")
        if not sentence:
            raise
        # `from None`: the client's texts repeat the answers of the server, and --debug prints the whole chain.
        raise SourceError(scrub(sentence)) from None


def _sentence(error: Exception, reference: str) -> str | None:
    import requests

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
        return _by_status(status, reference, server) if status else _unreachable(reference, server)
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


def _unreachable(reference: str, server: str) -> str:
    return f"{server} does not answer for {reference}; check the network and MLFLOW_TRACKING_URI"


def _by_status(status: int, reference: str, server: str) -> str:
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

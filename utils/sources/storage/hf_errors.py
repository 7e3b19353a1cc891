"""Turns the errors of the Hugging Face client into one sentence each."""

import contextlib
import os
from collections.abc import Iterator

from utils.host.errors import SourceError
from utils.sources.storage.scrub import scrub


@contextlib.contextmanager
def explained(reference: str, repository: str, revision: str) -> Iterator[None]:
    """Raises the client's errors inside the block as SourceError; other errors pass."""
    import requests
    from huggingface_hub import errors, get_token

    try:
        yield
    except (requests.RequestException, errors.HFValidationError, errors.OfflineModeIsEnabled, OSError) as error:
        sentence = _sentence(_root(error), reference, repository, revision)
        if not sentence:
            raise
        # `from None`: the client's texts may contain a signed address, and --debug prints the whole chain.
        raise SourceError(scrub(sentence, get_token())) from None


def _root(error: Exception) -> Exception:
    """The real reason: the client reports a failed request as "not in the cache", with the reason as its cause."""
    from huggingface_hub.errors import LocalEntryNotFoundError

    if isinstance(error, LocalEntryNotFoundError) and isinstance(error.__cause__, Exception):
        return error.__cause__
    return error


def _sentence(error: Exception, reference: str, repository: str, revision: str) -> str | None:
    from huggingface_hub import errors

    hub = _hub_address()
    token = "was refused" if os.environ.get("HF_TOKEN") else "is not set"
    # The order matters: GatedRepoError is a RepositoryNotFoundError.
    sentences = {
        errors.GatedRepoError: f"{reference} is gated: request access on {hub}/{repository}, then set HF_TOKEN "
        f"to a token of an account with access (HF_TOKEN {token} now)",
        errors.RepositoryNotFoundError: f"{hub} has no repository {repository!r}, or it is private; "
        f"check the name, or set HF_TOKEN to a token that can read it (HF_TOKEN {token} now)",
        errors.RevisionNotFoundError: f"{repository!r} has no revision {revision!r} on {hub}; "
        "use one of its branches, tags or commits",
        errors.LocalEntryNotFoundError: _not_cached(reference),
        errors.OfflineModeIsEnabled: _not_cached(reference),
        errors.HFValidationError: f"{reference!r} is not a repository; write hf:user/name or hf:user/name@revision",
    }
    for kind, sentence in sentences.items():
        if isinstance(error, kind):
            return sentence
    if isinstance(error, errors.HfHubHTTPError) and error.response is not None:
        return _by_status(error.response.status_code, reference, hub, token)
    return _by_connection(error, reference, hub)


def _not_cached(reference: str) -> str:
    return f"{reference} is not in the cache and HF_HUB_OFFLINE is set; run once with HF_HUB_OFFLINE=0"


def _by_status(status: int, reference: str, hub: str, token: str) -> str:
    if status in {401, 403}:
        return (
            f"{hub} refuses {reference} ({status}); set HF_TOKEN to a valid token that can read it "
            f"(HF_TOKEN {token} now)"
        )
    if status == 429:
        return f"{hub} limits the rate of requests (429) for {reference}; wait a few minutes, or set HF_TOKEN"
    if status >= 500:
        return f"{hub} failed with status {status} for {reference}; run the same command again later"
    return f"{hub} answered {status} for {reference}; check the reference and HF_ENDPOINT"


def _by_connection(error: Exception, reference: str, hub: str) -> str | None:
    import requests

    if isinstance(error, requests.Timeout):
        return f"{hub} did not answer in time for {reference}; check the network and HF_ENDPOINT, then run it again"
    if isinstance(error, requests.exceptions.ChunkedEncodingError) or "Consistency check failed" in str(error):
        return f"the connection to {hub} was lost while downloading a file of {reference}; run the same command again"
    if isinstance(error, requests.ConnectionError):
        return f"{hub} cannot be reached for {reference}; check the network, HTTPS_PROXY and HF_ENDPOINT"
    if isinstance(error, requests.RequestException):
        return f"the answer of {hub} for {reference} is not a hub's ({type(error).__name__}); check HF_ENDPOINT"
    return None


def _hub_address() -> str:
    from huggingface_hub import constants

    return scrub(constants.ENDPOINT)

"""What the Hugging Face client raises, as one sentence each."""

import contextlib
import os
from collections.abc import Iterator

from utils.host.errors import SourceError
from utils.sources.storage.scrub import scrub


@contextlib.contextmanager
def explained(reference: str, repository: str, revision: str) -> Iterator[None]:
    """Turns the client's errors inside the block into SourceError; what is not the client's goes through."""
    import requests
    from huggingface_hub import errors, get_token

    try:
        yield
    except (requests.RequestException, errors.HFValidationError, errors.OfflineModeIsEnabled, OSError) as error:
        sentence = _sentence(_root(error), reference, repository, revision)
        if not sentence:
            raise
        # `from None`: the client's own texts may carry a signed address, and --debug prints the whole chain.
        raise SourceError(scrub(sentence, get_token())) from None


def _root(error: Exception) -> Exception:
    """The client reports a failed look-up as "not in the cache", with the true reason as its cause."""
    from huggingface_hub.errors import LocalEntryNotFoundError

    if isinstance(error, LocalEntryNotFoundError) and isinstance(error.__cause__, Exception):
        return error.__cause__
    return error


def _sentence(error: Exception, reference: str, repository: str, revision: str) -> str | None:
    from huggingface_hub import errors

    hub = _hub_address()
    token = "is refused" if os.environ.get("HF_TOKEN") else "is not set"
    # A gated repository is a kind of missing one to the client: the order counts.
    sentences = {
        errors.GatedRepoError: f"{reference} is gated: ask for access on {hub}/{repository}, then set HF_TOKEN "
        f"to a token of the account that has it (HF_TOKEN {token} now)",
        errors.RepositoryNotFoundError: f"{hub} shows no repository {repository!r} (there is none, or it is private); "
        f"check the name, or set HF_TOKEN to a token that may read it (HF_TOKEN {token} now)",
        errors.RevisionNotFoundError: f"{repository!r} has no revision {revision!r} on {hub}; "
        "give one of its branches, tags or commits",
        errors.LocalEntryNotFoundError: _not_cached(reference),
        errors.OfflineModeIsEnabled: _not_cached(reference),
        errors.HFValidationError: f"{reference!r} names no repository; write hf:user/name or hf:user/name@revision",
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
            f"{hub} refuses {reference} ({status}); set HF_TOKEN to a valid token that may read it "
            f"(HF_TOKEN {token} now)"
        )
    if status == 429:
        return f"{hub} limits the rate of requests (429) for {reference}; wait some minutes, or set HF_TOKEN"
    if status >= 500:
        return f"{hub} is out of order ({status}) for {reference}; run the same command again later"
    return f"{hub} answers {status} for {reference}; check the reference and HF_ENDPOINT"


def _by_connection(error: Exception, reference: str, hub: str) -> str | None:
    import requests

    if isinstance(error, requests.Timeout):
        return f"{hub} did not answer in time for {reference}; check the network and HF_ENDPOINT, then run it again"
    if isinstance(error, requests.exceptions.ChunkedEncodingError) or "Consistency check failed" in str(error):
        return f"the connection to {hub} broke in the middle of a file of {reference}; run the same command again"
    if isinstance(error, requests.ConnectionError):
        return f"{hub} cannot be reached for {reference}; check the network, HTTPS_PROXY and HF_ENDPOINT"
    if isinstance(error, requests.RequestException):
        return f"{hub} gives no hub's answer for {reference} ({type(error).__name__}); check HF_ENDPOINT"
    return None


def _hub_address() -> str:

    from huggingface_hub import constants

    return scrub(constants.ENDPOINT)

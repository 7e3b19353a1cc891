"""Turns the errors of the client of Weights & Biases into one sentence each."""

import contextlib
import os
import re
from collections.abc import Iterator

from utils.host.errors import SourceError
from utils.sources.storage.scrub import scrub


@contextlib.contextmanager
def explained(locator: str) -> Iterator[None]:
    """Raises the client's errors inside the block as SourceErrors."""
    try:
        yield
    except SourceError:
        raise
    except Exception as error:
        # `from None`: the client's texts may contain signed addresses, and --debug prints the whole chain.
        raise SourceError(scrub(_sentence(error, f"wandb:{locator}"))) from None


# {pattern in the client's text: what it means}, the first that matches
_MEANINGS = {
    "did not respond in time": "{server} does not answer for {reference}; check the network and WANDB_BASE_URL",
    "invalid character|validation error": "the answer of {server} for {reference} is not that of Weights & Biases; "
    "check WANDB_BASE_URL",
    "No API key": "{server} needs a key for {reference}; set WANDB_API_KEY, or run wandb login",
    r"error 40[13]|not logged in|invalid credentials|Failed to verify": "{server} refuses {reference}; set "
    "WANDB_API_KEY to the key of an account that may read it",
    "not found": "{server} has no {reference}; check the entity, the project, the name and the alias",
}


def _sentence(error: Exception, reference: str) -> str:
    import requests

    server = scrub(os.environ.get("WANDB_BASE_URL") or "Weights & Biases")
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return (
            f"the connection to {server} was lost while downloading a file of {reference}; run the same command again"
        )
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return _by_status(error.response.status_code, reference, server)
    if isinstance(error, requests.RequestException):
        return f"{server} does not answer for a file of {reference}; check the network"
    text = " ".join(str(error).split())
    for words, meaning in _MEANINGS.items():
        if re.search(words, text):
            return meaning.format(server=server, reference=reference)
    return f"{reference} cannot be read from {server} ({type(error).__name__}: {text[:200]}); check WANDB_BASE_URL"


def _by_status(status: int, reference: str, server: str) -> str:
    if status in (401, 403):
        return f"{server} refuses a file of {reference} ({status}); set WANDB_API_KEY to a key that may read it"
    return f"{server} answered {status} for a file of {reference}; run the same command again later"

"""The messages of storages: one sentence for each error of a client, without tokens and keys."""

import contextlib
import os
import re
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit, urlunsplit

from utils.host.errors import SourceError

_NAME_OF_A_SECRET = re.compile(r"(TOKEN|SECRET|PASSWORD|SECRET_KEY|ACCESS_KEY|ACCESS_KEY_ID|API_KEY|STORAGE_KEY)$")
_SECRET_IN_A_CONNECTION_STRING = re.compile(r"(?:AccountKey|SharedAccessSignature)=([^;]+)")
_SIGNATURE_IN_A_URL = re.compile(r"(?i)([?&](?:sig|[\w-]*signature|[\w-]*token)=)[^&\s'\")]+")
_LOGIN_IN_A_URL = re.compile(r"(?<=://)[^/\s@]+@")
# A shorter value could be an ordinary word of the message.
_SHORTEST_SECRET = 6


def scrub(text: str, *secrets: str | None) -> str:
    """`text` without `secrets`, secrets in the environment, and logins and signatures in addresses."""
    in_environment = [value for name, value in os.environ.items() if _NAME_OF_A_SECRET.search(name)]
    connections = [value for name, value in os.environ.items() if name.endswith("CONNECTION_STRING")]
    in_environment += _SECRET_IN_A_CONNECTION_STRING.findall(";".join(connections))
    for secret in [*secrets, *in_environment]:
        if secret and len(secret.strip()) >= _SHORTEST_SECRET:
            text = text.replace(secret.strip(), "***")
    return _SIGNATURE_IN_A_URL.sub(r"\1***", _LOGIN_IN_A_URL.sub("", text))


def shown(address: str) -> str:
    """The address without its query, which may be a signature."""
    return scrub(urlunsplit(urlsplit(address)._replace(query="", fragment="")))


@contextlib.contextmanager
def explained(sentence: Callable[[Exception], str | None], *secrets: str | None) -> Iterator[None]:
    """Raises an error inside the block as a SourceError with its sentence; one without a sentence passes.

    `from None`: the texts of clients and servers may contain a token, and --debug prints the whole chain.
    """
    try:
        yield
    except SourceError:
        raise
    except Exception as error:
        text = sentence(error)
        if text is None:
            raise
        raise SourceError(scrub(text, *secrets)) from None

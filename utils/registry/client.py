"""HTTP to a registry: docker's credentials, time limits, and one sentence for every fault.

oras finds the credentials (config.json, credHelpers, credsStore) and gets the tokens. Requests are made here: those of
oras have no time limit and wait minutes between attempts.
"""

import json
import os
import time
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import oras.auth
import oras.container
import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from utils.host.errors import ReleaseError
from utils.registry.reference import Reference

# Reading again is safe; a request that a registry does not answer is not repeated.
_RETRIES = Retry(
    connect=1,
    read=False,
    other=0,
    status=2,
    backoff_factor=0.3,
    status_forcelist=(429, 502, 503, 504),
    allowed_methods=("GET", "HEAD"),
    raise_on_status=False,
    respect_retry_after_header=False,
)
LARGEST_ERROR = 1 << 16


class Client:
    """Requests to the registry of `reference`, each within `seconds`.

    `insecure`: as docker's engine does for its insecure registries, certificates are not checked, and a registry
    without TLS gets requests in plain HTTP.
    """

    def __init__(self, reference: Reference, *, insecure: bool, seconds: float) -> None:
        self.reference, self.seconds, self.insecure = reference, seconds, insecure
        self.session = requests.Session()
        for scheme in ("https://", "http://"):
            self.session.mount(scheme, _TimedAdapter(seconds))
        self._authorization: dict[str, str] = {}

    @cached_property
    def base(self) -> str:
        """Scheme and host, after the registry answered there. ReleaseError if it does not."""
        for scheme in ("https", "http") if self.insecure else ("https",):
            base = f"{scheme}://{self.reference.api_host}"
            try:
                response = self._send("GET", f"{base}/v2/", None, {})
            except requests.exceptions.SSLError as error:
                if not self.insecure or scheme == "http":
                    raise self._no_answer(error) from error
                continue
            except (requests.RequestException, OSError) as error:
                raise self._no_answer(error) from error
            response.close()
            if response.status_code in (200, 401, 403):
                return base
            break
        raise ReleaseError(
            f"{self.reference.host} is not a registry: it has no /v2/ API; check the host in the image's name"
        )

    def request(
        self, method: str, path: str, content: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> requests.Response:
        """One request for `path` below the repository, or a whole URL; authorized if the registry requires that.

        The body is to be read by `read`. Raises ReleaseError for a registry that does not answer.
        """
        url = path if "://" in path else f"{self.base}/v2/{self.reference.api_name}/{path}"
        try:
            response = self._send(method, url, content, headers or {})
            if response.status_code == 401 and url.startswith(self.base):  # also when a token has expired
                self._authorization = self._authorize(response)
                if self._authorization:
                    response.close()
                    response = self._send(method, url, content, headers or {})
        except (requests.RequestException, OSError) as error:
            raise self._no_answer(error) from error
        return response

    def _send(self, method: str, url: str, content: bytes | None, headers: Mapping[str, str]) -> requests.Response:
        own = self._authorization if urlsplit(url).netloc == self.reference.api_host else {}
        verify = None if not self.insecure else False  # None: as REQUESTS_CA_BUNDLE says
        return self.session.request(method, url, data=content, headers={**headers, **own}, stream=True, verify=verify)

    def _authorize(self, response: requests.Response) -> dict[str, str]:
        """The Authorization header that the challenge of `response` asks for; empty without credentials."""
        kind = "basic" if response.headers.get("Www-Authenticate", "").lower().startswith("basic") else "token"
        backend = oras.auth.get_auth_backend(kind, self.session, tls_verify=not self.insecure)
        backend._auth_config = _docker_config()
        key = oras.container.Container(self.reference.name)
        key.registry = self.reference.credentials_key
        backend.load_configs(key)
        if kind == "basic" and not hasattr(backend, "_basic_auth"):
            return {}
        headers, found = backend.authenticate_request(response, {})
        return dict(headers) if found else {}

    def read(self, response: requests.Response, most: int) -> bytes:
        """The whole body. ReleaseError if it has more than `most` bytes, stops, or takes longer than the limit."""
        until, content = time.monotonic() + self.seconds, bytearray()
        for piece in self.pieces(response, 1 << 16):
            content += piece
            if len(content) > most:
                raise ReleaseError(f"registry {self.reference.host} sent more than {most} bytes; not read")
            if time.monotonic() > until:
                raise self._no_answer(requests.Timeout())
        return bytes(content)

    def pieces(self, response: requests.Response, size: int) -> Iterator[bytes]:
        """The body, of any length, in pieces of at most `size` bytes. ReleaseError if it stops."""
        try:
            with response:
                yield from response.iter_content(size)
        except (requests.RequestException, OSError) as error:
            raise self._no_answer(error) from error

    def refusal(self, response: requests.Response, action: str) -> ReleaseError:
        """The error for a response other than the expected one; `action` completes "the registry does not"."""
        host = self.reference.host
        reason = f"{response.status_code} {_message(self.read(response, LARGEST_ERROR)) or response.reason}"
        login = f"run `docker login {host}` with an account that may, then run the same command again"
        advices = {401: login, 403: login, 404: "check the image's name, or create the repository"}
        advice = advices.get(response.status_code, "check the image's name, and whether the registry works")
        return ReleaseError(f"registry {host} does not {action} ({reason}); {advice}")

    def _no_answer(self, error: Exception) -> ReleaseError:
        host = self.reference.host
        if "WRONG_VERSION_NUMBER" in str(error):  # of OpenSSL, for an answer that is not TLS
            return ReleaseError(
                f"registry {host} answers without TLS; if this is intended, add the host to insecure-registries of "
                "Docker's engine, or give ./verify.sh --insecure"
            )
        if isinstance(error, requests.exceptions.SSLError):
            return ReleaseError(
                f"registry {host} has no valid certificate ({_innermost(error)}); set REQUESTS_CA_BUNDLE to its "
                "authority's, or add the host to insecure-registries of Docker's engine"
            )
        reason = f"no answer in {self.seconds:g} s" if isinstance(error, requests.Timeout) else _innermost(error)
        return ReleaseError(
            f"registry {host} does not answer ({reason}); check the host in the image's name and the network"
        )


class _TimedAdapter(HTTPAdapter):
    """Gives every request the time limit, those of oras for tokens too."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        super().__init__(max_retries=_RETRIES)

    def send(self, request: requests.PreparedRequest, *arguments: Any, **settings: Any) -> requests.Response:
        """As HTTPAdapter.send, with a time limit."""
        settings["timeout"] = settings.get("timeout") or self.seconds
        return super().send(request, *arguments, **settings)


def _docker_config() -> dict[str, Any]:
    """Docker's config.json, where docker looks for it: oras does not read DOCKER_CONFIG."""
    file = Path(os.environ.get("DOCKER_CONFIG") or Path("~/.docker").expanduser()) / "config.json"
    if not file.is_file():
        return {"auths": {}}
    try:
        return {"auths": {}, **json.loads(file.read_text(encoding="utf-8"))}
    except (ValueError, TypeError, OSError) as error:
        raise ReleaseError(f"docker's {str(file)!r} cannot be read ({error}); repair it, or log in again") from error


def _message(content: bytes) -> str:
    """Code and message of the first error, in the form of the OCI distribution specification; empty if none."""
    try:
        first = json.loads(content)["errors"][0]
        return f"{first['code']}: {first['message']}"[:300]
    except (ValueError, LookupError, TypeError):
        return ""


def _innermost(error: BaseException) -> str:
    """The text of the cause that urllib3 and requests wrap several times."""
    while isinstance(cause := getattr(error, "reason", None) or (error.args or [None])[0], BaseException):
        error = cause
    return str(error).rpartition(": ")[2][:200] or type(error).__name__

"""Requests a model's entry from a ClearML server; every failure has a reason."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from utils.host.errors import SourceError
from utils.sources.storage.scrub import scrub

if TYPE_CHECKING:
    import requests

_CONFIGURATION = ("CLEARML_API_HOST", "CLEARML_API_ACCESS_KEY", "CLEARML_API_SECRET_KEY")
# The SDK's default is 240 retries with up to two minutes between them.
_RETRIES = {"total": 2, "connect": 2, "read": 2, "redirect": 2, "status": 2, "backoff_factor": 0.2}
_REFUSED = {401, 403}
# Seconds to connect, and between bytes of the answer. The SDK's default for the second is five minutes. All tries take
# less than bounded.FIRST_ANSWER_SECONDS, so that the reason is reported.
_TIMEOUT = (4.0, 8.0)


class _Session(Protocol):
    """The used part of the SDK's session; `api_version` is the server's, known after the login."""

    api_version: str

    def send_request(self, service: str, action: str, *, version: str, json: dict[str, str]) -> "requests.Response": ...


def find_model_uri(model_id: str) -> str:
    """The address of the model's file. A direct request, because InputModel hides the reasons of failures."""
    host = _configured()
    import requests

    try:
        session = _session()
        answer = session.send_request("models", "get_by_id", version=session.api_version, json={"model": model_id})
    except requests.RequestException as error:
        raise _unreachable(host, error) from error
    if answer.status_code in _REFUSED:
        raise SourceError(f"{host} does not allow these keys to read the model {model_id!r}; use keys with access")
    if answer.status_code != 200:
        raise SourceError(
            f"{host} has no model {model_id!r} (status {answer.status_code}); copy the id from the model's page, "
            "not from the task's"
        )
    uri = (answer.json()["data"].get("model") or {}).get("uri") or ""
    if not uri.strip():
        raise SourceError(f"the model {model_id!r} on {host} has no file (no uri); upload its archive first")
    return str(uri)


def _configured() -> str:
    configuration = Path(os.environ.get("CLEARML_CONFIG_FILE") or "~/clearml.conf").expanduser()
    missing = [name for name in _CONFIGURATION if not os.environ.get(name)]
    if os.environ.get("CLEARML_AUTH_TOKEN"):
        missing = [name for name in missing if name == "CLEARML_API_HOST"]
    if missing and not configuration.is_file():
        raise SourceError(
            f"ClearML is not configured: {', '.join(missing)} not set and no {configuration}; "
            "set the variables, or run clearml-init"
        )
    from clearml.backend_api import Session

    return scrub(str(Session.get_api_server_host()))


def _session() -> _Session:
    """A session with a limit of a few seconds, unlike InputModel's own."""
    import requests
    from clearml.backend_api import Session
    from clearml.backend_api.session.session import LoginError

    host = scrub(str(Session.get_api_server_host()))
    Session._session_initial_timeout = Session._session_timeout = _TIMEOUT
    try:
        return cast(_Session, Session(http_retries_config=dict(_RETRIES)))
    except LoginError as error:
        if isinstance(error.__context__, requests.RequestException):
            raise _unreachable(host, error.__context__) from error
        if any(f"error {status}" in str(error) for status in _REFUSED):
            raise SourceError(
                f"{host} refuses the ClearML keys; check CLEARML_API_ACCESS_KEY and CLEARML_API_SECRET_KEY"
            ) from error
        raise SourceError(f"the login to {host} failed ({error}); check CLEARML_API_HOST") from error
    except ValueError as error:
        raise SourceError(f"{host} is not a ClearML API server; set CLEARML_API_HOST to the API's address") from error


def _unreachable(host: str, error: Exception) -> SourceError:
    return SourceError(
        f"the ClearML server {host} cannot be reached or closes the connection ({type(error).__name__}); "
        "check CLEARML_API_HOST, the network, and that the server runs"
    )

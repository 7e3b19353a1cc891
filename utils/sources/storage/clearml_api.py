"""Requests the entries of models and artifacts from a ClearML server; every failure has a reason."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
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

    def send_request(
        self, service: str, action: str, *, version: str, json: dict[str, object]
    ) -> "requests.Response": ...


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What the server knows of a file. `configuration`: the model's design; `digest`: SHA-256, empty if unknown."""

    uri: str
    configuration: str = ""
    digest: str = ""


def find_model(model_id: str) -> Entry:
    """A model by its id. A direct request, because InputModel hides the reasons of failures."""
    answer = _request("models", "get_by_id", {"model": model_id}, f"the model {model_id!r}")
    host = _host()
    if answer.status_code != 200:
        raise SourceError(
            f"{host} has no model {model_id!r} (status {answer.status_code}); copy the id from the model's page, "
            "not from the task's"
        )
    model = answer.json()["data"].get("model") or {}
    if not (model.get("uri") or "").strip():
        raise SourceError(f"the model {model_id!r} on {host} has no file (no uri); upload its archive first")
    # The SDK wraps the text: {"design": "..."}.
    return Entry(uri=str(model["uri"]), configuration=str((model.get("design") or {}).get("design") or ""))


def find_tagged(name: str, tag: str) -> str:
    """The id of the one model with this name and tag."""
    query = {"name": f"^{re.escape(name)}$", "tags": [tag], "only_fields": ["id", "name"]}
    answer = _request("models", "get_all", query, f"models named {name!r}")
    models = answer.json()["data"].get("models") or [] if answer.status_code == 200 else []
    found = sorted(str(model["id"]) for model in models if model["name"] == name)
    if len(found) == 1:
        return found[0]
    which = f"{len(found)} models ({', '.join(found[:5])})" if found else "no model"
    raise SourceError(
        f"{_host()} has {which} named {name!r} with the tag {tag!r}; give the tag to one model, or use its id"
    )


def find_artifact(task_id: str, name: str) -> Entry:
    """An artifact of a task."""
    answer = _request("tasks", "get_by_id", {"task": task_id}, f"the task {task_id!r}")
    host = _host()
    if answer.status_code != 200:
        raise SourceError(f"{host} has no task {task_id!r} (status {answer.status_code}); copy the id from its page")
    artifacts = ((answer.json()["data"].get("task") or {}).get("execution") or {}).get("artifacts") or []
    found = next((artifact for artifact in artifacts if artifact["key"] == name), None)
    if not found or not found.get("uri"):
        known = ", ".join(sorted(str(artifact["key"]) for artifact in artifacts)) or "(none)"
        raise SourceError(f"the task {task_id!r} on {host} has no artifact {name!r} with a file; it has {known}")
    return Entry(uri=str(found["uri"]), digest=str(found.get("hash") or ""))


def _request(service: str, action: str, content: Mapping[str, object], what: str) -> "requests.Response":
    """The answer of a server that accepts the keys. SourceError if it refuses them or does not answer."""
    host = _configured()
    import requests

    try:
        session = _session()
        answer = session.send_request(service, action, version=session.api_version, json=dict(content))
    except requests.RequestException as error:
        raise _unreachable(host, error) from error
    if answer.status_code in _REFUSED:
        raise SourceError(f"{host} does not allow these keys to read {what}; use keys with access")
    return answer


def _host() -> str:
    from clearml.backend_api import Session

    return scrub(str(Session.get_api_server_host()))


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
    return _host()


def _session() -> _Session:
    """A session with a limit of a few seconds, unlike InputModel's own."""
    import requests
    from clearml.backend_api import Session
    from clearml.backend_api.session import session
    from clearml.backend_api.session.session import LoginError

    host = _host()
    session.SSLError = ()  # the SDK repeats a request without end after such an error
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

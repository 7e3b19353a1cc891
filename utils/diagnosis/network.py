"""Checks the servers of a build: registry, hub, ClearML, package index, within LIMIT_SECONDS."""

import os
import re
import ssl
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path

from utils.diagnosis.findings import Finding, fault, ok, warning
from utils.docker import wheelhouse
from utils.docker.client import last_line
from utils.docker.engine import Engine
from utils.host.environments import FACTORY
from utils.host.errors import FactoryError, UsageError
from utils.sources.storage.certificates import SETTINGS
from utils.sources.storage.scrub import scrub

ANSWER_SECONDS = 5
LIMIT_SECONDS = 15.0
HUB = "https://huggingface.co"
PROXY_LOGIN = "407"
_TRUE = ("1", "ON", "YES", "TRUE")  # as in huggingface_hub

Check = tuple[str, Callable[[], Finding]]


class Running:
    """Checks that run in parallel, one thread each, so that a hanging check does not delay the others."""

    def __init__(self, checks: Sequence[Check]) -> None:
        self._found: dict[str, Finding] = {}
        self._deadline = time.monotonic() + LIMIT_SECONDS
        self._threads = {
            name: threading.Thread(target=self._run, args=(name, check), daemon=True) for name, check in checks
        }
        for thread in self._threads.values():
            thread.start()

    def _run(self, name: str, check: Callable[[], Finding]) -> None:
        try:
            self._found[name] = check()
        except Exception as error:
            self._found[name] = warning(name, f"cannot be checked ({type(error).__name__}: {error})", CHECK_NETWORK)

    def findings(self) -> list[Finding]:
        """The findings in the order of the checks; a warning for each that did not end within LIMIT_SECONDS."""
        for thread in self._threads.values():
            thread.join(max(0.0, self._deadline - time.monotonic()))
        silent = f"no answer in {LIMIT_SECONDS:g} s"
        return [self._found.get(name) or warning(name, silent, CHECK_NETWORK) for name in self._threads]


CHECK_NETWORK = "check the network and the proxy (HTTPS_PROXY, NO_PROXY)"


def checks() -> list[Check]:
    """The checks without a Docker engine."""
    return [("Hugging Face Hub", hub), ("ClearML", clearml), ("package index", package_index)]


def hub() -> Finding:
    """Checks the Hub, or the server in HF_ENDPOINT."""
    check = "Hugging Face Hub"
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in _TRUE:
        return ok(check, "HF_HUB_OFFLINE is set: hf: reads only its cache")
    address = (os.environ.get("HF_ENDPOINT") or HUB).rstrip("/")
    answer = status_of(f"{address}/api/models?limit=1")
    if answer in ("401", "403") and not os.environ.get("HF_TOKEN"):
        return warning(check, f"{scrub(address)} requires a token ({answer})", "set HF_TOKEN")
    if responds(answer):
        return ok(check, f"{scrub(address)} responds")
    return warning(
        check,
        f"{scrub(address)} does not respond as a hub ({answer}); hf: references cannot be fetched",
        "check the network, HTTPS_PROXY and HF_ENDPOINT; local models need no hub",
    )


def clearml() -> Finding:
    """Checks the API server in the variables or in clearml.conf."""
    address = _clearml_address()
    if not address:
        return warning(
            "ClearML",
            "not configured; clearml: references cannot be fetched",
            "nothing to do, unless you use them: set CLEARML_API_HOST and the keys, or run clearml-init",
        )
    answer = status_of(f"{address.rstrip('/')}/debug.ping", containing='"meta"')
    if answer.isdigit():
        return ok("ClearML", f"{scrub(address)} responds")
    return warning(
        "ClearML",
        f"{scrub(address)} does not respond as a ClearML API ({answer}); clearml: references cannot be fetched",
        "check CLEARML_API_HOST, the network, and that the server runs",
    )


def _clearml_address() -> str:
    if address := os.environ.get("CLEARML_API_HOST"):
        return address
    file = Path(os.environ.get("CLEARML_CONFIG_FILE") or "~/clearml.conf").expanduser()
    try:
        named = re.search(r"(?m)^\s*api_server\s*[:=]\s*\"?([^\s\",}#]+)", file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    return named[1] if named else ""


def package_index() -> Finding:
    """Checks the package index by running pip, which alone reads its configuration."""
    check = "package index"
    with tempfile.TemporaryDirectory() as folder:
        command = [*wheelhouse.find_pip(), "download", "--quiet", "--disable-pip-version-check", "--no-input"]
        command += ["--no-cache-dir", "--retries", "0", "--timeout", str(ANSWER_SECONDS), "--no-deps"]
        done = wheelhouse.run_pip([*command, "--dest", folder, wheelhouse.PIP])
    if done.returncode == 0:
        return ok(check, f"pip fetches {wheelhouse.PIP}")
    found = f"pip cannot fetch {wheelhouse.PIP} ({scrub(last_line(done.stdout + done.stderr))[:200]})"
    advice = "check the network, PIP_INDEX_URL and PIP_CERT, or set PIP_FIND_LINKS to a folder with wheels"
    if FACTORY.is_ready():
        return warning(check, f"{found}; images can be built only from cached wheels", advice)
    return fault(check, f"{found}; the project's environment cannot be created", advice, UsageError)


def registry(engine: Engine, image: str, check: str = "registry") -> Finding:
    """Checks whether an image can be pulled, without pulling it.

    The client sends the request; the engine, which pulls, may use another proxy.
    """
    answer = engine.client.run("manifest", "inspect", image, seconds=2 * ANSWER_SECONDS)
    if answer.returncode == 0:
        return ok(check, f"{image} can be pulled")
    return warning(
        check,
        f"{image} is not on the engine and its manifest cannot be fetched ({scrub(last_line(answer.stderr))[:200]})",
        "check the name, the network, and `docker login`; with a mirror, pass --base-image and --slim-image",
    )


def status_of(address: str, containing: str = "") -> str:
    """The status of an answer that contains this text, else the reason why there is none."""
    try:
        request = urllib.request.Request(address, headers={"User-Agent": "triton-image-factory"})
        with urllib.request.urlopen(request, timeout=ANSWER_SECONDS, context=_certificates()) as response:
            status, body = response.status, response.read(1 << 16)
    except urllib.error.HTTPError as error:
        status, body = error.code, error.read(1 << 16)
    except (OSError, ValueError, FactoryError) as error:
        return scrub(str(getattr(error, "reason", "") or error or type(error).__name__))[:200]
    return str(status) if containing.encode() in body else f"status {status}"


def responds(status: str) -> bool:
    """Whether `status`, of status_of, is the answer of the server itself."""
    return status.isdigit() and int(status) < 500 and status != PROXY_LOGIN


def _certificates() -> ssl.SSLContext:
    """The certificates that the storages' clients trust: those of the variables, else those of certifi."""
    places = [Path(os.environ[name]) for name in SETTINGS if os.environ.get(name)]
    places += FACTORY.folder.glob("lib/python*/site-packages/certifi/cacert.pem")
    if not places:
        return ssl.create_default_context()
    if places[0].is_dir():
        return ssl.create_default_context(capath=str(places[0]))
    return ssl.create_default_context(cafile=str(places[0]))

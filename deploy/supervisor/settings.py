"""Settings from the container's environment (listed in docs/operations.md)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from . import guard_processes, instances, tls, tracing
from .errors import SettingError

MIB = 1 << 20
# All releases of Triton count the bytes of an HTTP body in an int32.
LARGEST_INPUT = 2**31 - 1
MAY_BE_ZERO = "TRITON_MAX_INPUT_BYTES"
# `auto` means "if the release has a known fault", and every release has one: see docs/faults.md.
GUARD = ("always", "auto", "never")
ADMIN_KEY = re.compile(r"[A-Za-z0-9_.~-]{16,128}")
ADDRESSES = EVERYWHERE, LOOPBACK = "0.0.0.0", "127.0.0.1"
ON_OFF = ("on", "off")
# Of images built with --api (docs/api.md).
API_NAMES = API_PORT, API_ADDRESS, API_KEYS, API_MAX_INPUTS = (
    "TRITON_API_PORT",
    "TRITON_API_ADDRESS",
    "TRITON_API_KEYS_FILE",
    "TRITON_API_MAX_INPUTS",
)
TRY_PAGE, FALSE_TRUE = "TRITON_TRY_PAGE", ("false", "true")
LOG_FORMAT, LOG_FORMATS = "TRITON_LOG_FORMAT", ("text", "json")


@dataclass(frozen=True)
class Settings:
    """Ports, limits in seconds and bytes, and the key of the admin APIs (empty: none).

    `max_input_bytes`: at most LARGEST_INPUT. `hang_seconds` 0: computed from the canary's duration. The addresses are
    from ADDRESSES. `instances` 0: as instances.Instances chooses. `guard_processes` 0: as guard_processes.number.
    """

    http_port: int = 8000
    grpc_port: int = 8001
    metrics_port: int = 8002
    max_input_bytes: int = 64 * MIB
    start_seconds: float = 600.0
    drain_seconds: float = 8.0
    hang_seconds: float = 0.0
    admin_key: str = ""
    is_guarded: bool = True
    http_address: str = EVERYWHERE
    grpc_address: str = EVERYWHERE
    metrics_address: str = EVERYWHERE
    grpc: bool = True
    grpc_tls: tls.Tls | None = None
    model_metrics: bool = True
    has_json_log: bool = False
    tracing: "tracing.Tracing | None" = None
    api_port: int = 8080
    api_address: str = EVERYWHERE
    api_keys_file: str = ""
    api_max_inputs: int = 2048
    try_page: bool = False
    instances: int = 0
    guard_processes: int = 0

    @property
    def ports(self) -> list[int]:
        """The ports that clients send requests to."""
        return [self.http_port, self.grpc_port] if self.grpc else [self.http_port]


NAMES = {
    "TRITON_HTTP_PORT": "http_port",
    "TRITON_GRPC_PORT": "grpc_port",
    "TRITON_METRICS_PORT": "metrics_port",
    "TRITON_MAX_INPUT_BYTES": "max_input_bytes",
    "TRITON_START_SECONDS": "start_seconds",
    "TRITON_DRAIN_SECONDS": "drain_seconds",
    "TRITON_HANG_SECONDS": "hang_seconds",
    API_PORT: "api_port",
    API_MAX_INPUTS: "api_max_inputs",
    instances.NAME: "instances",
    guard_processes.NAME: "guard_processes",
}


MOST = {instances.NAME: instances.MOST, guard_processes.NAME: guard_processes.MOST}


def read(environment: Mapping[str, str]) -> Settings:
    """The settings in `environment`. Raises SettingError for an invalid value."""
    # Kubernetes sets TRITON_HTTP_PORT=tcp://... for a service named triton-http.
    texts = {key: text for key in NAMES if (text := environment.get(key)) and "://" not in text}
    values = {NAMES[key]: _number(key, text) for key, text in texts.items()}
    values["max_input_bytes"] = values.get("max_input_bytes", Settings.max_input_bytes) or LARGEST_INPUT
    is_metrics_on = _choice(environment, "TRITON_METRICS", ON_OFF) == "on"
    return Settings(
        admin_key=_admin_key(environment),
        is_guarded=_choice(environment, "TRITON_GUARD", GUARD) != "never",
        http_address=_choice(environment, "TRITON_HTTP_ADDRESS", ADDRESSES),
        grpc_address=_choice(environment, "TRITON_GRPC_ADDRESS", ADDRESSES),
        # Off: on the loopback only, for the supervisor.
        metrics_address=_choice(environment, "TRITON_METRICS_ADDRESS", ADDRESSES) if is_metrics_on else LOOPBACK,
        grpc=_choice(environment, "TRITON_GRPC", ON_OFF) == "on",
        grpc_tls=tls.read(environment),
        model_metrics=_choice(environment, "TRITON_MODEL_METRICS", ON_OFF) == "on",
        has_json_log=_choice(environment, LOG_FORMAT, LOG_FORMATS) == "json",
        tracing=tracing.read(environment),
        api_address=_choice(environment, API_ADDRESS, ADDRESSES),
        api_keys_file=_api_keys(environment.get(API_KEYS, "")),
        try_page=_try_page(environment),
        **values,
    )


def _number(name: str, text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,12}", text) or not (int(text) or name == MAY_BE_ZERO):
        raise SettingError(f"{name} is {text!r}; use a whole number{'' if name == MAY_BE_ZERO else ' above 0'}")
    if name.endswith("_PORT") and int(text) > 65535:
        raise SettingError(f"{name} is {text}; use a port up to 65535")
    if name in MOST and int(text) > MOST[name]:
        raise SettingError(f"{name} is {text}; use at most {MOST[name]}")
    if name == MAY_BE_ZERO and int(text) > LARGEST_INPUT:
        raise SettingError(f"{name} is {text}; use at most {LARGEST_INPUT}, or 0 for that")
    return int(text)


def _choice(environment: Mapping[str, str], name: str, allowed: Sequence[str]) -> str:
    """The setting's value; the first of `allowed` is the default."""
    chosen = environment.get(name) or allowed[0]
    if chosen not in allowed:
        raise SettingError(f"{name} is {chosen!r}; use {', '.join(allowed[:-1])} or {allowed[-1]}")
    return chosen


def _try_page(environment: Mapping[str, str]) -> bool:
    is_on = _choice(environment, TRY_PAGE, FALSE_TRUE) == "true"
    if is_on and _choice(environment, "TRITON_GUARD", GUARD) == "never":
        raise SettingError(f"{TRY_PAGE} is true and TRITON_GUARD never, but the guard serves the page; omit one")
    return is_on


def _admin_key(environment: Mapping[str, str]) -> str:
    """TRITON_ADMIN_KEY, or the first line of the file TRITON_ADMIN_KEY_FILE. No message shows its value."""
    key, name = environment.get("TRITON_ADMIN_KEY", ""), "TRITON_ADMIN_KEY"
    if file := environment.get("TRITON_ADMIN_KEY_FILE"):
        name = "TRITON_ADMIN_KEY_FILE"
        key = _lines(name, file)[0]
        if not key:
            raise SettingError(f"{name} names {file!r}, which is empty; write the key to it, or unset {name}")
    if key and not ADMIN_KEY.fullmatch(key):
        raise SettingError(f"the key in {name} must be 16 to 128 of A-Z, a-z, 0-9, _, ., ~ and -; choose another key")
    return key


def _api_keys(file: str) -> str:
    """`file`, if each of its lines is a key. No message shows a key."""
    if not file:
        return ""
    keys = list(filter(None, _lines(API_KEYS, file)))
    if not keys:
        raise SettingError(f"{API_KEYS} names {file!r}, which has no key; write one a line to it, or unset {API_KEYS}")
    for number, key in enumerate(keys, start=1):
        if not ADMIN_KEY.fullmatch(key):
            raise SettingError(
                f"key {number} of {API_KEYS} must be 16 to 128 of A-Z, a-z, 0-9, _, ., ~ and -; choose another key"
            )
    return file


def _lines(name: str, file: str) -> list[str]:
    """The lines of the file that a setting names, at least one, without spaces around them."""
    try:
        with open(file, encoding="utf-8") as content:  # noqa: PTH123 - pathlib costs 10 ms of every start
            return [line.strip() for line in content.read().split("\n")]
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(f"{name} names {file!r}, which cannot be read ({error}); mount it readable") from error


def without_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of Triton and its stubs."""
    hidden = ("TRITON_ADMIN_KEY", API_KEYS)
    return {name: value for name, value in environment.items() if not name.startswith(hidden)}


def port_file(serving: str) -> str:
    """The file with the HTTP port of the server that runs from the folder `serving`, for its health check."""
    return f"/tmp/triton-http-port{serving.replace('/', '-')}"

"""The user's flags for tritonserver: some become settings, some replace defaults, some are refused."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from .errors import SettingError

# Triton's only flags without a value (24.10 to 26.08).
SWITCHES = ("help", "disable-auto-complete-config")
# Flags that are equivalent to a setting.
SETTINGS = {
    "http-port": "TRITON_HTTP_PORT",
    "grpc-port": "TRITON_GRPC_PORT",
    "metrics-port": "TRITON_METRICS_PORT",
    "http-address": "TRITON_HTTP_ADDRESS",
    "grpc-address": "TRITON_GRPC_ADDRESS",
    "metrics-address": "TRITON_METRICS_ADDRESS",
    "allow-grpc": "TRITON_GRPC",
    "allow-metrics": "TRITON_METRICS",
    "http-max-input-size": "TRITON_MAX_INPUT_BYTES",
    "exit-timeout-secs": "TRITON_DRAIN_SECONDS",
    "grpc-server-cert": "TRITON_GRPC_CERT_FILE",
    "grpc-server-key": "TRITON_GRPC_KEY_FILE",
    "grpc-root-cert": "TRITON_GRPC_CLIENT_CA_FILE",
}
REPOSITORY, REPOSITORY_NAMES = "/models", ("model-repository", "model-store")
SHARED_MEMORY = "python,shm-default-byte-size"
# The image's defaults, and the prefixes of the user's flags that replace them.
DEFAULTS = {
    f"--model-repository={REPOSITORY}": ("--model-repository=", "--model-store="),
    f"--backend-config={SHARED_MEMORY}=1048576": (f"--backend-config={SHARED_MEMORY}=",),
}
REPLACEABLE = {
    "trace-config": "--trace-",
    "grpc-max-response-pool-size": "--grpc-max-response-pool-size=",
    "metrics-config": "--metrics-config=",
    "http-header-forward-pattern": "--http-header-forward-pattern=",
    "grpc-header-forward-pattern": "--grpc-header-forward-pattern=",
}
# Flags whose value must be the image's, and the reason or the alternative.
PROTECTED = {
    "allow-http": "the canary and the health check need HTTP; TRITON_HTTP_ADDRESS=127.0.0.1 keeps it in the container",
    "strict-readiness": "the server is ready when all its models are",
    "allow-vertex-ai": "its port leads past the guard; point Vertex AI at port 8000",
    "allow-sagemaker": "its port leads past the guard",
    "model-control-mode": "an image serves the models it was proven with",
    "load-model": "an image serves the models it was proven with",
    "http-restricted-api": "the admin APIs are closed by TRITON_ADMIN_KEY",
    "grpc-restricted-protocol": "the admin APIs are closed by TRITON_ADMIN_KEY",
    "allow-client-shm": "TRITON_ADMIN_KEY opens the shared memory APIs",
    "grpc-use-ssl": "set TRITON_GRPC_CERT_FILE and TRITON_GRPC_KEY_FILE to enable TLS",
    "grpc-use-ssl-mutual": "set TRITON_GRPC_CLIENT_CA_FILE to enable mutual TLS",
}
_ON_OFF = {"true": "on", "false": "off"}


@dataclass(frozen=True)
class Flag:
    """The full name without dashes, and the value (empty for one of SWITCHES)."""

    name: str
    value: str

    def __str__(self) -> str:
        return f"--{self.name}" if self.name in SWITCHES else f"--{self.name}={self.value}"


def parse(words: Sequence[str], known: frozenset[str]) -> list[Flag]:
    """Parses like getopt_long(3), which Triton uses: `--name=value`, `--name value` and unique abbreviations.

    `known`: the names that this release knows. Raises SettingError for anything else.
    """
    found, rest = [], list(words)
    while rest:
        word = rest.pop(0)
        if not word.startswith("--") or word == "--":
            raise SettingError(f"{word!r} is not a flag of tritonserver; write flags as --name=value")
        name, has_value, value = word[2:].partition("=")
        name = _full(name, known)
        if not has_value and name not in SWITCHES:
            if not rest:
                raise SettingError(f"--{name} needs a value: --{name}=VALUE")
            value = rest.pop(0)
        found.append(Flag(name, value))
    return found


def _full(name: str, known: frozenset[str]) -> str:
    if name in known:
        return name
    longer = sorted(each for each in known if each.startswith(name))
    if len(longer) == 1 or set(longer) == set(REPOSITORY_NAMES):  # which getopt treats as one
        return longer[0]
    choice = f"did you mean {' or '.join(f'--{each}' for each in longer)}?" if longer and name else "see `--help`"
    raise SettingError(f"this release of Triton has no flag --{name}; {choice}")


def as_settings(user_flags: Sequence[Flag], environment: Mapping[str, str]) -> dict[str, str]:
    """`environment` with the values of the flags. Raises SettingError if the two disagree."""
    variables = dict(environment)
    for flag in user_flags:
        name = SETTINGS.get(flag.name)
        if name:
            value = _ON_OFF.get(_plain(flag.value), flag.value) if flag.name.startswith("allow-") else flag.value
            before = environment.get(name)
            if before and "://" not in before and before != value:
                raise SettingError(f"{flag} and {name}={before} disagree; use one of them")
            variables[name] = value
    return variables


def notes(user_flags: Sequence[Flag]) -> list[str]:
    """One sentence for each group of flags that is not passed on unchanged."""
    settings = [f"{flag} ({SETTINGS[flag.name]})" for flag in user_flags if flag.name in SETTINGS]
    replaced = [str(flag) for flag in user_flags if _replaces(flag, REPLACEABLE.values())]
    return [
        *([f"these flags are used as settings: {', '.join(settings)}"] if settings else []),
        *([f"these flags replace the image's own: {', '.join(replaced)}"] if replaced else []),
    ]


def merge(user_flags: Sequence[Flag], image_flags: Sequence[str]) -> list[str]:
    """Triton's arguments, `image_flags` last. Raises SettingError for a flag that contradicts one of them."""
    replaced = [name for name, start in REPLACEABLE.items() if any(_replaces(flag, [start]) for flag in user_flags)]
    image_flags = [flag for flag in image_flags if flag[2:].partition("=")[0] not in replaced]
    values = {"grpc-use-ssl": "false", "grpc-use-ssl-mutual": "false"}
    values.update((flag[2:].partition("=")[0], flag.partition("=")[2]) for flag in image_flags)
    passed = []
    for flag in user_flags:
        if flag.name in SETTINGS:
            continue
        if flag.name not in values and flag.name not in PROTECTED:
            passed.append(str(flag))
        elif _plain(flag.value) != values.get(flag.name):
            shown = f"--{flag.name}" if "restricted" in flag.name else flag  # its value is a key
            reason = PROTECTED.get(flag.name, "the image sets it")
            raise SettingError(f"{shown} is refused: {reason} (docs/operations.md); omit the flag")
    defaults = [flag for flag, starts in DEFAULTS.items() if not any(_replaces(each, starts) for each in user_flags)]
    return [*defaults, *passed, *image_flags]


def repositories(user_flags: Sequence[Flag]) -> list[str]:
    """The folders or URLs of the model repositories."""
    return [flag.value for flag in user_flags if flag.name in REPOSITORY_NAMES] or [REPOSITORY]


def _replaces(flag: Flag, starts: Iterable[str]) -> bool:
    return str(flag).startswith(tuple(starts))


def _plain(value: str) -> str:
    """A boolean or a mode in lower case: Triton ignores case, and accepts 1 and 0 as booleans."""
    return {"1": "true", "0": "false"}.get(value, value.lower())

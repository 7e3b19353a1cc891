"""Triton's flags for addresses, ports and TLS."""

from .errors import SettingError
from .guard import Place
from .settings import EVERYWHERE, Settings


def flags(known: frozenset[str], limits: Settings, place: Place | None, *, gated: bool) -> list[str]:
    """The flags. With a guard at `place`, Triton listens for HTTP behind it; if `gated`, Triton shares its ports.

    Raises SettingError for a setting that this release has no flag for.
    """
    chosen = {
        "allow-http": "true",
        "http-address": limits.http_address,
        "http-port": str(limits.http_port),
        **({"reuse-http-port": "true"} if gated else {}),
        **(_grpc(limits, gated=gated) if limits.grpc else {"allow-grpc": "false"}),
        "metrics-address": limits.metrics_address,
        "metrics-port": str(limits.metrics_port),
        "exit-timeout-secs": f"{limits.drain_seconds:g}",
    }
    if place:
        chosen.update((name, value) for name, value in (flag[2:].split("=", 1) for flag in place.triton_flags))
    for name, value in chosen.items():
        # These two values are the default of a release without the flag.
        if name not in known and value not in ("true", EVERYWHERE):
            raise SettingError(f"this release of Triton does not support --{name}={value}; choose a newer release")
    return [f"--{name}={value}" for name, value in chosen.items() if name in known]


def _grpc(limits: Settings, *, gated: bool) -> dict[str, str]:
    return {
        "allow-grpc": "true",
        "grpc-address": limits.grpc_address,
        "grpc-port": str(limits.grpc_port),
        **({"reuse-grpc-port": "true"} if gated else {}),
        **(limits.grpc_tls.flags if limits.grpc_tls else {}),
    }

"""What Triton listens on, as flags: addresses, ports and TLS."""

from __future__ import annotations

from .errors import SettingError
from .guard import Place
from .settings import EVERYWHERE, Settings


def flags(known: frozenset[str], wanted: Settings, place: Place | None, *, gated: bool) -> list[str]:
    """With a guard at `place`, Triton's HTTP is behind it; with a gate, Triton shares its ports.

    SettingError for a setting that this release has no flag for.
    """
    chosen = {
        "allow-http": "true",
        "http-address": wanted.http_address,
        "http-port": str(wanted.http_port),
        **({"reuse-http-port": "true"} if gated else {}),
        **(_grpc(wanted, gated=gated) if wanted.grpc else {"allow-grpc": "false"}),
        "metrics-address": wanted.metrics_address,
        "metrics-port": str(wanted.metrics_port),
        "exit-timeout-secs": f"{wanted.drain_seconds:g}",
    }
    if place:
        chosen.update(flag[2:].split("=", 1) for flag in place.triton_flags)
    for name, value in chosen.items():
        # A release without the flag does by itself what these two values say.
        if name not in known and value not in ("true", EVERYWHERE):
            raise SettingError(
                f"this release of Triton has no --{name}, which --{name}={value} needs; choose a newer one"
            )
    return [f"--{name}={value}" for name, value in chosen.items() if name in known]


def _grpc(wanted: Settings, *, gated: bool) -> dict[str, str]:
    return {
        "allow-grpc": "true",
        "grpc-address": wanted.grpc_address,
        "grpc-port": str(wanted.grpc_port),
        **({"reuse-grpc-port": "true"} if gated else {}),
        **(wanted.grpc_tls.flags if wanted.grpc_tls else {}),
    }

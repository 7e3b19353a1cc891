"""OpenTelemetry traces: Triton's own, sent to one endpoint over OTLP/HTTP."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from .errors import SettingError

# Names of the OpenTelemetry specification, but for the rate, which is Triton's.
ENDPOINT, SERVICE, PROTOCOL = "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_SERVICE_NAME", "OTEL_EXPORTER_OTLP_PROTOCOL"
RATE, DEFAULT_RATE = "TRITON_TRACE_RATE", "1000"
PATH = "/v1/traces"
_URL = re.compile(r"https?://(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?(?:/[!-~]*)?")


@dataclass(frozen=True)
class Tracing:
    """`url`: where Triton sends spans. `rate`: one request of so many is traced; 0: those with a traceparent only."""

    url: str
    rate: int
    service: str = ""

    @property
    def flags(self) -> list[str]:
        """Triton's flags."""
        resource = [f"opentelemetry,resource=service.name={self.service}"] if self.service else []
        fixed = ["mode=opentelemetry", "level=TIMESTAMPS", "count=-1"]
        return [
            f"--trace-config={each}"
            for each in (*fixed, f"rate={self.rate}", f"opentelemetry,url={self.url}", *resource)
        ]


def read(environment: Mapping[str, str]) -> Tracing | None:
    """None without an endpoint. Raises SettingError for an invalid value."""
    url, rate = environment.get(ENDPOINT), environment.get(RATE) or DEFAULT_RATE
    if not re.fullmatch(r"[0-9]{1,9}", rate):
        raise SettingError(f"{RATE} is {rate!r}; use a whole number: one request of so many is traced")
    if not url:
        return None
    found = _URL.fullmatch(url)
    if not found or not 0 < int(found[1] or 1) < 65536:
        raise SettingError(f"{ENDPOINT} is {url!r}; use a URL such as http://collector:4318")
    protocol = environment.get(PROTOCOL) or "http/protobuf"
    if not protocol.startswith("http/"):
        raise SettingError(
            f"{PROTOCOL} is {protocol!r}; Triton sends traces over HTTP only: use http/protobuf and its port"
        )
    return Tracing(url.rstrip("/") + PATH, int(rate), environment.get(SERVICE, ""))

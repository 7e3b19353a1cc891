"""The settings of OpenTelemetry, and Triton's flags for them."""

import pytest

from deploy.supervisor import flags, settings
from deploy.supervisor.errors import SettingError

URL = "http://collector:4318"


def read(**variables):
    return settings.read(variables).tracing


def test_without_an_endpoint_traces_are_off():
    assert read(OTEL_SERVICE_NAME="topics") is None
    known = frozenset(["trace-config"])
    assert "--trace-config=level=off" in flags.hardening(known, admin_key="", max_input_bytes=1)
    assert flags.hardening(known, admin_key="", max_input_bytes=1, is_traced=True)[0].startswith("--http-restricted")


@pytest.mark.parametrize("url", [URL, f"{URL}/", "https://[::1]:4318", "http://host/otel"])
def test_the_endpoint_becomes_triton_s_url(url):
    found = read(OTEL_EXPORTER_OTLP_ENDPOINT=url, OTEL_SERVICE_NAME="topics", TRITON_TRACE_RATE="1").flags
    assert found == [
        "--trace-config=mode=opentelemetry", "--trace-config=level=TIMESTAMPS", "--trace-config=count=-1",
        "--trace-config=rate=1", f"--trace-config=opentelemetry,url={url.rstrip('/')}/v1/traces",
        "--trace-config=opentelemetry,resource=service.name=topics",
    ]  # fmt: skip


def test_one_request_in_1000_is_traced_by_default():
    assert "--trace-config=rate=1000" in read(OTEL_EXPORTER_OTLP_ENDPOINT=URL).flags


@pytest.mark.parametrize("url", ["collector:4318", "ftp://a", "http://", "http://a:0", "http://a:70000", "http://a b"])
def test_a_malformed_endpoint_is_refused(url):
    with pytest.raises(SettingError, match="OTEL_EXPORTER_OTLP_ENDPOINT"):
        read(OTEL_EXPORTER_OTLP_ENDPOINT=url)


def test_other_wrong_values_are_refused():
    with pytest.raises(SettingError, match="TRITON_TRACE_RATE"):
        read(TRITON_TRACE_RATE="0.1")
    with pytest.raises(SettingError, match="OTEL_EXPORTER_OTLP_PROTOCOL is 'grpc'"):
        read(OTEL_EXPORTER_OTLP_ENDPOINT=URL, OTEL_EXPORTER_OTLP_PROTOCOL="grpc")

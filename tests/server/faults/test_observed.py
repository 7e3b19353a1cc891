"""JSON logs, request ids and OpenTelemetry of a real supervised server; the collector is an HTTP server on loopback.

The Triton from PyPI (24.10) sends OTLP as JSON, where ids are in hexadecimal; the protobuf messages read it.
"""

import base64
import http.client
import json
import re
import signal
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from tritonclient.grpc import InferenceServerClient, InferInput

from tests.server.faults.supervised import lay_out_serving, supervised
from utils.diagnosis.target import GOOD, infer_body

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
FIELDS = {
    "timestamp", "level", "source", "message", "protocol", "id", "model", "version", "rows", "status", "bytes_in",
    "total_ms", "queue_ms", "compute_ms",
}  # fmt: skip


class Collector(ThreadingHTTPServer):
    """Decodes OTLP: `spans` are those received."""

    def __init__(self):
        self.spans = []
        super().__init__(("127.0.0.1", 0), Received)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def of_trace(self, trace, name, seconds=20):
        """The span of that name."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = [span for span in self.spans if span.trace_id.hex() == trace and span.name == name]
            if found:
                return found[0]
            time.sleep(0.1)
        raise AssertionError(f"no span {name} of {trace} among {[span.name for span in self.spans]}")


class Received(BaseHTTPRequestHandler):
    def do_POST(self):
        assert self.path == "/v1/traces"
        body = self.rfile.read(int(self.headers["Content-Length"]))
        message = ExportTraceServiceRequest()
        if self.headers["Content-Type"] == "application/json":
            encoded = re.sub(rb'"(traceId|spanId|parentSpanId)":"([0-9a-f]*)"', _as_base64, body)
            json_format.Parse(encoded, message)
        else:
            message.ParseFromString(body)
        for resource in message.resource_spans:
            names = {each.key: each.value.string_value for each in resource.resource.attributes}
            assert names["service.name"] == "topics"
            for scope in resource.scope_spans:
                self.server.spans += scope.spans
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def _as_base64(found):
    return b'"%s":"%s"' % (found[1], base64.b64encode(bytes.fromhex(found[2].decode())))


@pytest.fixture(scope="module")
def collector():
    with Collector() as made:
        yield made
        made.shutdown()


@pytest.fixture(scope="module", params=["fused", "ensemble"])
def observed(request, build, tmp_path_factory, collector):
    """(model name, server) with JSON logs, and traces of the requests that have a traceparent."""
    name, repository = build(request.param)
    folder = tmp_path_factory.mktemp("observed")
    serving = lay_out_serving(folder / "opt", repository.parent / "golden.json")
    settings = {
        "TRITON_LOG_FORMAT": "json", "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.server_port}",
        "OTEL_SERVICE_NAME": "topics", "OTEL_BSP_SCHEDULE_DELAY": "300", "TRITON_TRACE_RATE": "0",
    }  # fmt: skip
    with supervised(repository, serving, folder, **settings) as server:
        yield name, server.wait_until_ready()


def lines(server):
    """Complete lines; every line is JSON."""
    return [json.loads(line) for line in server.log_text().splitlines(keepends=True) if line.endswith("\n")]


def line_of(server, **members):
    """The first line with these members."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        for each in lines(server):
            if members.items() <= each.items():
                return each
        time.sleep(0.05)
    raise AssertionError(f"no line with {members} in {server.log_text()}")


def ask(observed, body=None, path="infer", **headers):
    """(status, X-Request-Id, answer)"""
    name, server = observed
    connection = http.client.HTTPConnection(server.address.http, timeout=30)
    names = {key.replace("_", "-"): value for key, value in headers.items()}
    connection.request("POST", f"/v2/models/{name}/{path}", body or infer_body(["a", "b"]), names)
    response = connection.getresponse()
    return response.status, response.headers["X-Request-Id"], json.loads(response.read())


def test_a_request_has_one_line_with_its_id_rows_and_times(observed):
    status, header, answer = ask(observed, X_Request_Id="from-a-client")
    assert (status, header, "id" in answer) == (200, "from-a-client", False)
    found = line_of(observed[1], id="from-a-client")
    assert set(found) == FIELDS
    assert (found["model"], found["version"], found["rows"], found["status"]) == (observed[0], "1", 2, 200)
    assert found["bytes_in"] == len(infer_body(["a", "b"]))
    assert 0 < found["queue_ms"] + found["compute_ms"] < found["total_ms"] < 10_000
    assert [each["id"] for each in lines(observed[1]) if each["source"] == "request"].count("from-a-client") == 1


def test_v2_s_id_is_that_of_the_line(observed):
    """Triton returns it wherever it stands; without a header it is the header as well."""
    body = json.loads(infer_body(["a"]))
    for number, request in enumerate(({"id": "first", **body}, {**body, "id": "last"})):
        _, header, answer = ask(observed, json.dumps(request))
        assert header == answer["id"] == ("first", "last")[number]
        assert line_of(observed[1], id=answer["id"])["rows"] == 1
    assert ask(observed, json.dumps({"id": "both", **body}), X_Request_Id="sent")[1] == "sent"
    assert line_of(observed[1], id="both")["x_request_id"] == "sent"


def test_a_generated_id_is_in_the_answer_and_in_the_log(observed):
    header = ask(observed, json.dumps({"text_input": "a"}), "generate")[1]
    assert re.fullmatch("[0-9a-f]{32}", header)
    assert line_of(observed[1], id=header)["compute_ms"] is None


def test_requests_that_fail_are_logged(observed):
    body = json.loads(infer_body(["a"]))
    body["inputs"][0]["data"] = [1]
    assert ask(observed, json.dumps(body), X_Request_Id="not-a-text")[0] == 400
    assert ask(observed, "[" * 2000, X_Request_Id="too-deep")[:2] == (400, "too-deep")
    assert line_of(observed[1], id="not-a-text")["level"] == "warning"
    assert "nested" in line_of(observed[1], id="too-deep")["message"]


def test_grpc_requests_have_the_lines_of_their_steps(observed):
    name, server = observed
    tensor = InferInput("text_input", [1, 1], "BYTES")
    tensor.set_data_from_numpy(np.array([[GOOD.encode()]], dtype=object))
    with InferenceServerClient(server.address.grpc) as client:
        client.infer(name, [tensor], request_id="grpc-id")
        client.infer(name, [tensor], headers={"x-request-id": "grpc-header"})
    for each in ("grpc-id", "grpc-header"):
        found = line_of(server, id=each, protocol="grpc")
        assert (found["rows"], found["status"]) == (1, 200) and found["compute_ms"] > 0


def test_all_processes_log_json(observed):
    server = observed[1]
    sources = {each["source"]: each for each in lines(server)}
    assert {"supervisor", "triton", "output"} <= set(sources)
    assert line_of(server, source="triton")["at"].count(":") == 1
    assert not [each for each in lines(server) if each["source"] == "request" and each["id"] == "canary"]


def test_spans_have_the_client_s_trace(observed, collector):
    assert ask(observed, traceparent=f"00-{TRACE}-{PARENT}-01")[0] == 200
    root = collector.of_trace(TRACE, "InferRequest")
    assert root.parent_span_id.hex() == PARENT
    span = collector.of_trace(TRACE, observed[0])
    attributes = {each.key: each.value for each in span.attributes}
    assert attributes["triton.model_name"].string_value == observed[0]
    assert span.parent_span_id == root.span_id and span.end_time_unix_nano > span.start_time_unix_nano
    assert {each.trace_id.hex() for each in collector.spans} == {TRACE}  # with rate 0, no other request
    collector.spans.clear()


def test_the_trace_settings_stay_closed(observed):
    connection = http.client.HTTPConnection(observed[1].address.http, timeout=30)
    connection.request("GET", "/v2/trace/setting")
    assert connection.getresponse().status == 403


@pytest.mark.parametrize("end", ["refuses", "never answers"])
def test_a_collector_that_is_gone_does_not_delay_requests(build, tmp_path, end):
    """Every request is traced; the port refuses connections, or accepts them and never answers."""
    name, repository = build("fused")
    serving = lay_out_serving(tmp_path / "opt", repository.parent / "golden.json")
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listening:
        settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{listening.getsockname()[1]}"}
        if end == "refuses":
            listening.close()
        settings |= {"TRITON_TRACE_RATE": "1", "OTEL_BSP_SCHEDULE_DELAY": "100", "OTEL_BSP_MAX_QUEUE_SIZE": "20"}
        with supervised(repository, serving, tmp_path, **settings) as server:
            server.wait_until_ready()
            started = time.monotonic()
            assert [ask((name, server))[0] for _ in range(200)] == [200] * 200
            assert time.monotonic() - started < 10
            server.process.send_signal(signal.SIGTERM)
            assert server.process.wait(20) == 0, server.log_text()


@pytest.mark.parametrize("variable", ["TRITON_LOG_FORMAT", "OTEL_EXPORTER_OTLP_ENDPOINT"])
def test_a_wrong_setting_ends_the_start(build, tmp_path, variable):
    _, repository = build("fused")
    serving = lay_out_serving(tmp_path / "opt", repository.parent / "golden.json")
    with supervised(repository, serving, tmp_path, **{variable: "wrong"}) as server:
        assert server.process.wait(30) == 2
    assert f"supervisor: {variable} is 'wrong'" in server.log_text()


def test_without_the_guard_the_log_says_that_requests_are_missing(build, tmp_path):
    name, repository = build("fused")
    serving = lay_out_serving(tmp_path / "opt", repository.parent / "golden.json")
    with supervised(repository, serving, tmp_path, TRITON_LOG_FORMAT="json", TRITON_GUARD="never") as server:
        assert ask((name, server.wait_until_ready()))[:2] == (200, None)
        assert "TRITON_GUARD=never" in line_of(server, source="supervisor", level="warning")["message"]
    assert not [each for each in lines(server) if each["source"] == "request"]

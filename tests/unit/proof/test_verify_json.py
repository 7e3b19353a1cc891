"""The JSON form of v2/infer: its request, its proxy, and answers that are errors or malformed."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from utils.host.errors import BootProofError
from utils.proof import verify
from utils.proof.golden import TensorValue, texts
from utils.proof.verify import prove
from utils.triton.address import ServerAddress


@pytest.fixture
def json_server():
    """`json_server(status, body)`: the address of a server with this response, and the list of its requests.

    A stand-in for Triton's HTTP endpoint, which needs a whole server. It hides all but the JSON form of v2/infer.
    """
    servers = []

    def start(status, body):
        requests = []

        class Endpoint(BaseHTTPRequestHandler):
            def do_POST(self):
                requests.append((self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
                self.send_response(status)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_arguments):
                """Silent."""

        server = HTTPServer(("127.0.0.1", 0), Endpoint)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        servers.append((server, thread))
        return f"127.0.0.1:{server.server_port}", requests

    yield start
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()


def v2(predicts, scores, shape):
    return json.dumps(
        {
            "outputs": [
                {"name": "scores", "datatype": "FP32", "shape": shape, "data": scores},
                {"name": "predicts", "datatype": "BYTES", "shape": shape, "data": predicts},
            ]
        }
    ).encode()


def request_of(*lines):
    return {"text_input": texts(lines, [len(lines), 1])}


def test_json_request_is_that_of_the_documentation(json_server):
    address, requests = json_server(200, v2(["a", "b", "помощь", "a"], [0.7, 0.2, 0.6, 0.3], [2, 2]))
    assert verify._infer_json(address, "topics", request_of("Hi", "помогите")) == {
        "predicts": texts(("a", "b", "помощь", "a"), [2, 2]),
        "scores": TensorValue(datatype="FP32", shape=(2, 2), data=(0.7, 0.2, 0.6, 0.3)),
    }
    tensor = {"name": "text_input", "shape": [2, 1], "datatype": "BYTES", "data": ["Hi", "помогите"]}
    assert requests == [("/v2/models/topics/infer", {"inputs": [tensor]})]


@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "all_proxy"])
def test_proxy_of_the_user_is_not_used(json_server, monkeypatch, closed_port, variable):
    monkeypatch.setenv(variable, f"http://127.0.0.1:{closed_port}")
    address, _ = json_server(200, v2(["a"], [0.7], [1, 1]))
    assert verify._infer_json(address, "topics", request_of("Hi"))["predicts"] == texts(("a",), [1, 1])


def test_error_of_the_server_is_shown(json_server, proof, monkeypatch, make_pipeline, tmp_path):
    infer_json = verify._infer_json
    proof()
    monkeypatch.setattr(verify, "_infer_json", infer_json)
    address, _ = json_server(400, b'{"error":"unexpected shape"}')
    with pytest.raises(BootProofError, match=r"'first' .* 400: .*unexpected shape"):
        prove(ServerAddress(http=address, grpc=address), tmp_path / "golden.json", make_pipeline(model_name="topics"))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no json",
        b"[]",
        b"{}",
        b'{"outputs": []}',
        v2(["c"], [None], [1, 1]),
        v2(["c"], ["0.6"], [1, 1]),
        v2([None], [0.6], [1, 1]),
        v2(["c"], [], [1, 1]),
        v2([], [], [1, 0]),
        v2(["c"], [0.6], [1]),
        v2(["a"], [0.7], [2, 1]),
    ],
)
def test_malformed_answer_fails(json_server, proof, monkeypatch, make_pipeline, tmp_path, body):
    infer_json = verify._infer_json
    proof()
    monkeypatch.setattr(verify, "_infer_json", infer_json)
    address, _ = json_server(200, body)
    with pytest.raises(BootProofError, match=r"'first'|for 1 rows"):
        prove(ServerAddress(http=address, grpc=address), tmp_path / "golden.json", make_pipeline(model_name="topics"))

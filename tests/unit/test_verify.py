"""The proof, against answers made here: right ones pass, and no wrong one does."""

import json
import math
import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from utils import verify
from utils.errors import BootProofError
from utils.golden import GoldenAnswers, write_golden
from utils.server_address import ServerAddress
from utils.verify import Answer, prove

NOWHERE = ServerAddress(http="127.0.0.1:1", grpc="127.0.0.1:1")
PROTOCOLS = {"_ask_http": "HTTP", "_ask_json": "HTTP with JSON", "_ask_grpc": "gRPC"}
TEXTS = ("first", "second", "third")
LABELS = ("a", "b", "c")
SCORES = ((0.7, 0.2, 0.1), (0.1, 0.3, 0.6), (0.2, 0.5, 0.3))


def answer_of(scores, labels, k):
    best = sorted(range(len(labels)), key=lambda index: -scores[index])[:k]
    return Answer(labels=tuple(labels[index] for index in best), scores=tuple(scores[index] for index in best))


@pytest.fixture
def proof(monkeypatch, tmp_path, make_pipeline):
    """`proof(served, ...)`: what prove() says when every protocol answers as `served` ({text: Answer}) does.

    `on`: only that protocol does; the others answer as PyTorch would.
    """

    def run(served=None, *, texts=TEXTS, labels=LABELS, scores=SCORES, k=1, on=None, batch=2, seen=None):
        golden = GoldenAnswers(texts=texts, labels=labels, scores=scores, top_k=k)
        right = {text: answer_of(row, labels, k) for text, row in zip(texts, scores, strict=True)}
        wrong = {**right, **(served or {})}
        for function in PROTOCOLS:
            answers = wrong if on in (None, function) else right

            def ask(_address, model_name, asked, answers=answers, function=function):
                if seen is not None:
                    seen.append((function, model_name, tuple(asked)))
                given = [answers[text] for text in asked]
                return [answer for answer in given if answer is not None]

            monkeypatch.setattr(verify, function, ask)
        pipeline = make_pipeline(model_name="topics", max_batch_size=batch, top_k=k)
        return prove(NOWHERE, write_golden(golden, tmp_path), pipeline)

    return run


def refusal(proof, *arguments, **options):
    with pytest.raises(BootProofError) as caught:
        proof(*arguments, **options)
    assert caught.value.exit_code == 8
    return str(caught.value)


def test_right_answers_pass_and_the_figure_is_told(proof):
    assert "3 golden texts" in proof()
    almost = {"second": Answer(labels=("c",), scores=(0.6004,))}
    assert "4.0e-04" in proof(almost)


def test_every_text_is_asked_alone_and_in_batches_over_each_protocol(proof):
    seen = []
    proof(seen=seen, batch=2)
    for function in PROTOCOLS:
        asked = [texts for name, model, texts in seen if name == function and model == "topics"]
        assert asked == [("first",), ("second",), ("third",), ("first", "second"), ("third",)]


def test_no_batch_is_larger_than_the_server_takes(proof):
    seen = []
    proof(seen=seen, batch=1)
    assert {len(texts) for _, _, texts in seen} == {1}


@pytest.mark.parametrize("function", PROTOCOLS)
@pytest.mark.parametrize(
    ("answer", "k"),
    [
        (Answer(labels=("a",), scores=(0.6,)), 1),
        (Answer(labels=("b",), scores=(0.3,)), 1),
        (Answer(labels=("c",), scores=(0.5,)), 1),
        (Answer(labels=("c",), scores=(0.6011,)), 1),
        (Answer(labels=("C",), scores=(0.6,)), 1),
        (Answer(labels=("unknown",), scores=(0.6,)), 1),
        (Answer(labels=("c",), scores=(math.nan,)), 1),
        (Answer(labels=("c",), scores=(math.inf,)), 1),
        (Answer(labels=(), scores=()), 1),
        (Answer(labels=("c",), scores=()), 1),
        (Answer(labels=(), scores=(0.6,)), 1),
        (Answer(labels=("c", "b"), scores=(0.6, 0.3)), 1),
        (Answer(labels=("c",), scores=(0.6,)), 2),
        (Answer(labels=("b", "c"), scores=(0.3, 0.6)), 2),
        (Answer(labels=("c", "a"), scores=(0.6, 0.3)), 2),
        (Answer(labels=("c", "c"), scores=(0.6, 0.3)), 2),
        (Answer(labels=("c", "b"), scores=(math.nan, 0.3)), 2),
        (Answer(labels=("c", "b"), scores=(0.6, math.nan)), 2),
        (Answer(labels=("c", "b", "a"), scores=(0.6, 0.3, math.nan)), 3),
    ],
)
def test_a_wrong_answer_on_any_protocol_fails_the_proof(proof, function, answer, k):
    message = refusal(proof, {"second": answer}, on=function, k=k)
    assert f"over {PROTOCOLS[function]} " in message
    assert "'second'" in message


def test_the_refusal_shows_both_sides(proof):
    message = refusal(proof, {"second": Answer(labels=("a",), scores=(0.5,))})
    assert "'a' 0.5000" in message
    assert "PyTorch with 'c' 0.6000" in message


@pytest.mark.parametrize("function", PROTOCOLS)
def test_a_missing_row_fails_the_proof(proof, function):
    message = refusal(proof, {"second": None}, on=function)
    assert "0 answers to 1 texts" in message
    assert PROTOCOLS[function] in message


def test_labels_whose_scores_are_equal_within_the_tolerance_may_change_places(proof):
    scores = ((0.4005, 0.3999, 0.1996),)
    swapped = Answer(labels=("b", "a"), scores=(0.3999, 0.4005))
    assert proof({"first": swapped}, texts=("first",), scores=scores, k=2)
    assert proof({"first": Answer(labels=("b",), scores=(0.3999,))}, texts=("first",), scores=scores, k=1)
    message = refusal(proof, {"first": swapped}, texts=("first",), scores=((0.42, 0.38, 0.2),), k=2)
    assert "'first'" in message


def test_a_tie_does_not_let_one_label_be_given_twice(proof):
    twice = Answer(labels=("a", "a"), scores=(0.4, 0.4))
    assert "'first'" in refusal(proof, {"first": twice}, texts=("first",), scores=((0.4, 0.4, 0.2),), k=2)


def test_a_label_that_stands_twice_in_the_head_may_be_given_twice(proof):
    labels, scores = ("same", "same", "other"), ((0.5, 0.3, 0.2),)
    assert proof(texts=("first",), labels=labels, scores=scores, k=2)
    thrice = {"first": Answer(labels=("same", "same", "same"), scores=(0.5, 0.3, 0.2))}
    assert "'first'" in refusal(proof, thrice, texts=("first",), labels=labels, scores=scores, k=3)


@pytest.mark.parametrize("function", PROTOCOLS)
def test_whatever_a_client_library_raises_fails_the_proof(proof, monkeypatch, make_pipeline, tmp_path, function):
    proof()

    def ask(*_):
        raise RuntimeError("no\nsuch  server")

    monkeypatch.setattr(verify, function, ask)
    with pytest.raises(BootProofError, match=f"did not answer 'first' over {PROTOCOLS[function]}: no such server"):
        prove(NOWHERE, tmp_path / "golden.json", make_pipeline(model_name="topics"))


def test_golden_answers_that_are_gone_fail_the_proof(make_pipeline, tmp_path):
    with pytest.raises(BootProofError, match=r"golden\.json"):
        prove(NOWHERE, tmp_path / "golden.json", make_pipeline())


@pytest.fixture
def closed_port():
    """A port where nothing listens, and nothing can while the socket holds it."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


@pytest.mark.parametrize(
    "ask", [verify._ask_http, verify._ask_json, verify._ask_grpc], ids=lambda function: function.__name__
)
def test_a_server_that_is_not_there_fails_the_proof(monkeypatch, make_pipeline, tmp_path, closed_port, ask):
    """The real clients; each is put first, so that it is the one that fails."""
    monkeypatch.setattr(verify, "_ask_http", ask)
    golden = GoldenAnswers(texts=TEXTS, labels=LABELS, scores=SCORES, top_k=1)
    here = f"127.0.0.1:{closed_port}"
    with pytest.raises(BootProofError, match=r"did not answer 'first'"):
        prove(ServerAddress(http=here, grpc=here), write_golden(golden, tmp_path), make_pipeline())


@pytest.fixture
def json_server():
    """`json_server(status, body)`: the address of a server that gives this answer, and the list of what it was asked.

    It stands for Triton's HTTP endpoint, which needs a whole server: only the JSON form of v2/infer is spoken here.
    """
    servers = []

    def start(status, body):
        asked = []

        class Endpoint(BaseHTTPRequestHandler):
            def do_POST(self):
                asked.append((self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
                self.send_response(status)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_arguments):
                """Silent."""

        server = HTTPServer(("127.0.0.1", 0), Endpoint)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        servers.append((server, thread))
        return f"127.0.0.1:{server.server_port}", asked

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


def test_the_json_request_is_that_of_the_documentation(json_server):
    address, asked = json_server(200, v2(["a", "b", "помощь", "a"], [0.7, 0.2, 0.6, 0.3], [2, 2]))
    assert verify._ask_json(address, "topics", ["Hi", "помогите"]) == [
        Answer(labels=("a", "b"), scores=(0.7, 0.2)),
        Answer(labels=("помощь", "a"), scores=(0.6, 0.3)),
    ]
    tensor = {"name": "text_input", "shape": [2, 1], "datatype": "BYTES", "data": ["Hi", "помогите"]}
    assert asked == [("/v2/models/topics/infer", {"inputs": [tensor]})]


@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "all_proxy"])
def test_a_proxy_of_the_users_has_no_part_in_it(json_server, monkeypatch, closed_port, variable):
    monkeypatch.setenv(variable, f"http://127.0.0.1:{closed_port}")
    address, _ = json_server(200, v2(["a"], [0.7], [1, 1]))
    assert verify._ask_json(address, "topics", ["Hi"]) == [Answer(labels=("a",), scores=(0.7,))]


def test_an_error_of_the_server_is_shown(json_server):
    address, _ = json_server(400, b'{"error":"unexpected shape"}')
    with pytest.raises(BootProofError, match=r"answered 400 to 'Hi'.*unexpected shape"):
        verify._ask_json(address, "topics", ["Hi"])


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no json",
        b"[]",
        b"{}",
        b'{"outputs": []}',
        v2(["c"], [None], [1, 1]),
        v2(["c"], [], [1, 1]),
        v2([], [], [1, 0]),
        v2(["c"], [0.6], [1]),
    ],
)
def test_a_malformed_answer_fails_the_proof(json_server, proof, monkeypatch, make_pipeline, tmp_path, body):
    ask_json = verify._ask_json
    proof()
    monkeypatch.setattr(verify, "_ask_json", ask_json)
    address, _ = json_server(200, body)
    with pytest.raises(BootProofError, match=r"'first'"):
        prove(ServerAddress(http=address, grpc=address), tmp_path / "golden.json", make_pipeline(model_name="topics"))

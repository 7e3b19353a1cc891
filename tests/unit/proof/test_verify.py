"""The proof, against answers made here: right ones pass, and no wrong one does."""

import json
import math
import socket
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from utils.host.errors import BootProofError
from utils.proof import verify
from utils.proof.golden import GoldenAnswers, GoldenRow, TensorValue, texts, write_golden
from utils.proof.verify import prove
from utils.triton.address import ServerAddress

NOWHERE = ServerAddress(http="127.0.0.1:1", grpc="127.0.0.1:1")
PROTOCOLS = {"_ask_http": "HTTP", "_ask_json": "HTTP with JSON", "_ask_grpc": "gRPC"}
TEXTS = ("first", "second", "third")
LABELS = ("a", "b", "c")
SCORES = ((0.7, 0.2, 0.1), (0.1, 0.3, 0.6), (0.2, 0.5, 0.3))


def answer(labels, scores):
    """One row, as it is served: labels and their scores."""
    return {"predicts": texts(labels), "scores": TensorValue(datatype="FP32", shape=(len(scores),), data=tuple(scores))}


def ranked(scores, labels, k):
    best = sorted(range(len(labels)), key=lambda index: -scores[index])[:k]
    return answer([labels[index] for index in best], [scores[index] for index in best])


def golden_of(asked=TEXTS, labels=LABELS, scores=SCORES, model="topics"):
    """The original's answers: all labels of each text, best first."""
    rows = tuple(
        GoldenRow(model=model, batched=True, inputs={"text_input": texts([text])}, outputs=ranked(row, labels, None))
        for text, row in zip(asked, scores, strict=True)
    )
    return GoldenAnswers(rows=rows, comparison="ranking")


def stacked(rows):
    """One response for several rows; a row that is None is left out."""
    given = [row for row in rows if row is not None]
    names = given[0] if given else answer([], [])
    return {
        name: TensorValue(
            datatype=names[name].datatype,
            shape=(len(given), *names[name].shape),
            data=tuple(value for row in given for value in row[name].data),
        )
        for name in names
    }


@pytest.fixture
def proof(monkeypatch, tmp_path, make_pipeline):
    """`proof(served, ...)`: what prove() says when every protocol answers as `served` ({text: answer}) does.

    `on`: only that protocol does; the others answer as PyTorch would.
    """

    def run(served=None, *, asked=TEXTS, labels=LABELS, scores=SCORES, k=1, on=None, batch=2, seen=None):
        right = {text: ranked(row, labels, k) for text, row in zip(asked, scores, strict=True)}
        wrong = {**right, **(served or {})}
        for function in PROTOCOLS:
            answers = wrong if on in (None, function) else right

            def ask(_address, model_name, inputs, answers=answers, function=function):
                tensor = inputs["text_input"]
                assert (tensor.datatype, tensor.shape) == ("BYTES", (len(tensor.data), 1))
                if seen is not None:
                    seen.append((function, model_name, tensor.data))
                return stacked([answers[text] for text in tensor.data])

            monkeypatch.setattr(verify, function, ask)
        pipeline = make_pipeline(model_name="topics", max_batch_size=batch, labels=labels, top_k=k)
        return prove(NOWHERE, write_golden(golden_of(asked, labels, scores), tmp_path), pipeline)

    return run


def refusal(proof, *arguments, **options):
    with pytest.raises(BootProofError) as caught:
        proof(*arguments, **options)
    assert caught.value.exit_code == 8
    return str(caught.value)


def test_right_answers_pass_and_the_figure_is_told(proof):
    assert "3 golden requests over HTTP and gRPC: answers equal" in proof()
    almost = {"second": answer(["c"], [0.6004])}
    assert "4.0e-04" in proof(almost)


def test_every_text_is_asked_alone_and_in_batches_over_each_protocol(proof):
    seen = []
    proof(seen=seen, batch=2)
    for function in PROTOCOLS:
        asked = [data for name, model, data in seen if name == function and model == "topics"]
        assert asked == [("first",), ("second",), ("third",), ("first", "second"), ("third",), ("first", "third")]


@pytest.mark.parametrize(("batch", "sizes"), [(1, [1] * 6), (3, [1, 1, 1, 3, 2, 3]), (8, [1, 1, 1, 3, 2, 3, 8])])
def test_requests_have_one_two_three_and_as_many_rows_as_may_come(proof, batch, sizes):
    seen = []
    proof(seen=seen, batch=batch)
    assert [len(data) for name, _, data in seen if name == "_ask_http"] == sizes


def test_no_batch_is_larger_than_the_server_takes(proof):
    seen = []
    proof(seen=seen, batch=1)
    assert {len(data) for _, _, data in seen} == {1}


@pytest.mark.parametrize("function", PROTOCOLS)
@pytest.mark.parametrize(
    ("given", "k"),
    [
        (answer(("a",), (0.6,)), 1),
        (answer(("b",), (0.3,)), 1),
        (answer(("c",), (0.5,)), 1),
        (answer(("c",), (0.6011,)), 1),
        (answer(("C",), (0.6,)), 1),
        (answer(("unknown",), (0.6,)), 1),
        (answer(("c",), (math.nan,)), 1),
        (answer(("c",), (math.inf,)), 1),
        (answer((), ()), 1),
        (answer(("c",), ()), 1),
        (answer((), (0.6,)), 1),
        (answer(("c", "b"), (0.6, 0.3)), 1),
        (answer(("c",), (0.6,)), 2),
        (answer(("b", "c"), (0.3, 0.6)), 2),
        (answer(("c", "a"), (0.6, 0.3)), 2),
        (answer(("c", "c"), (0.6, 0.3)), 2),
        (answer(("c", "b"), (math.nan, 0.3)), 2),
        (answer(("c", "b"), (0.6, math.nan)), 2),
        (answer(("c", "b", "a"), (0.6, 0.3, math.nan)), 3),
        ({"predicts": texts(["c"])}, 1),
        ({"scores": answer([], [0.6])["scores"]}, 1),
        ({"predicts": texts(["c"], [1, 1]), "scores": answer([], [0.6])["scores"]}, 1),
    ],
)
def test_a_wrong_answer_on_any_protocol_fails_the_proof(proof, function, given, k):
    # A response has one shape for all its rows, so the batches have one row here.
    message = refusal(proof, {"second": given}, on=function, k=k, batch=1)
    assert f"over {PROTOCOLS[function]} " in message
    assert "'second'" in message


@pytest.mark.parametrize("function", PROTOCOLS)
def test_an_answer_that_is_wrong_in_a_batch_only_fails_the_proof(proof, monkeypatch, make_pipeline, tmp_path, function):
    """Rows that change places when they share a request: each text alone is answered rightly."""
    proof()
    right = getattr(verify, function)

    def ask(address, model, inputs):
        outputs = right(address, model, inputs)
        return {name: replace(each, data=tuple(reversed(each.data))) for name, each in outputs.items()}

    monkeypatch.setattr(verify, function, ask)
    with pytest.raises(BootProofError, match=f"over {PROTOCOLS[function]} .*'first' as the original"):
        prove(NOWHERE, tmp_path / "golden.json", make_pipeline(model_name="topics", max_batch_size=2))


def test_the_refusal_shows_both_sides(proof):
    message = refusal(proof, {"second": answer(("a",), (0.5,))})
    assert "'a' 0.5 where 'c' 0.6 is right" in message


@pytest.mark.parametrize("function", PROTOCOLS)
def test_a_missing_row_fails_the_proof(proof, function):
    message = refusal(proof, {"second": None}, on=function)
    assert "predicts [0, 0] to 1 rows" in message
    assert PROTOCOLS[function] in message


def test_labels_whose_scores_are_equal_within_the_tolerance_may_change_places(proof):
    scores = ((0.4005, 0.3999, 0.1996),)
    swapped = answer(("b", "a"), (0.3999, 0.4005))
    assert proof({"first": swapped}, asked=("first",), scores=scores, k=2)
    assert proof({"first": answer(("b",), (0.3999,))}, asked=("first",), scores=scores, k=1)
    message = refusal(proof, {"first": swapped}, asked=("first",), scores=((0.42, 0.38, 0.2),), k=2)
    assert "'first'" in message


def test_a_tie_does_not_let_one_label_be_given_twice(proof):
    twice = answer(("a", "a"), (0.4, 0.4))
    assert "'first'" in refusal(proof, {"first": twice}, asked=("first",), scores=((0.4, 0.4, 0.2),), k=2)


def test_a_label_that_stands_twice_in_the_head_may_be_given_twice(proof):
    labels, scores = ("same", "same", "other"), ((0.5, 0.3, 0.2),)
    assert proof(asked=("first",), labels=labels, scores=scores, k=2)
    thrice = {"first": answer(("same", "same", "same"), (0.5, 0.3, 0.2))}
    assert "'first'" in refusal(proof, thrice, asked=("first",), labels=labels, scores=scores, k=3)


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
    here = f"127.0.0.1:{closed_port}"
    with pytest.raises(BootProofError, match=r"did not answer 'first'"):
        prove(ServerAddress(http=here, grpc=here), write_golden(golden_of(), tmp_path), make_pipeline())


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


def request_of(*asked):
    return {"text_input": texts(asked, [len(asked), 1])}


def test_the_json_request_is_that_of_the_documentation(json_server):
    address, asked = json_server(200, v2(["a", "b", "помощь", "a"], [0.7, 0.2, 0.6, 0.3], [2, 2]))
    assert verify._ask_json(address, "topics", request_of("Hi", "помогите")) == {
        "predicts": texts(("a", "b", "помощь", "a"), [2, 2]),
        "scores": TensorValue(datatype="FP32", shape=(2, 2), data=(0.7, 0.2, 0.6, 0.3)),
    }
    tensor = {"name": "text_input", "shape": [2, 1], "datatype": "BYTES", "data": ["Hi", "помогите"]}
    assert asked == [("/v2/models/topics/infer", {"inputs": [tensor]})]


@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "all_proxy"])
def test_a_proxy_of_the_users_has_no_part_in_it(json_server, monkeypatch, closed_port, variable):
    monkeypatch.setenv(variable, f"http://127.0.0.1:{closed_port}")
    address, _ = json_server(200, v2(["a"], [0.7], [1, 1]))
    assert verify._ask_json(address, "topics", request_of("Hi"))["predicts"] == texts(("a",), [1, 1])


def test_an_error_of_the_server_is_shown(json_server, proof, monkeypatch, make_pipeline, tmp_path):
    ask_json = verify._ask_json
    proof()
    monkeypatch.setattr(verify, "_ask_json", ask_json)
    address, _ = json_server(400, b'{"error":"unexpected shape"}')
    with pytest.raises(BootProofError, match=r"did not answer 'first' .*answered 400: .*unexpected shape"):
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
def test_a_malformed_answer_fails_the_proof(json_server, proof, monkeypatch, make_pipeline, tmp_path, body):
    ask_json = verify._ask_json
    proof()
    monkeypatch.setattr(verify, "_ask_json", ask_json)
    address, _ = json_server(200, body)
    with pytest.raises(BootProofError, match=r"'first'|to 1 rows"):
        prove(ServerAddress(http=address, grpc=address), tmp_path / "golden.json", make_pipeline(model_name="topics"))

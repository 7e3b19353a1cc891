"""What is sent to which model, and what is told of the answers."""

import os
import threading
import time
from concurrent import futures
from dataclasses import replace
from types import SimpleNamespace

import grpc
import numpy as np
import pytest
from tritonclient.grpc import service_pb2, service_pb2_grpc
from tritonclient.utils import InferenceServerException

from benchmarks import closed_loop
from benchmarks.closed_loop import Figures, ask, requests_to
from utils.host.errors import UsageError
from utils.proof.golden import GoldenAnswers, GoldenRow, numbers, texts
from utils.proof.golden_file import write_golden
from utils.repository.tensors import TensorSpec


def sent(requests):
    """Names, shapes and types of each request's inputs."""
    return [[(each.name(), list(each.shape()), each.datatype()) for each in row] for row in requests.rows]


@pytest.fixture
def pair(make_pipeline):
    return make_pipeline(task="text-pair-classification")


@pytest.fixture
def golden_file(tmp_path):
    """Two rows of the served model, one of a model beside it."""

    def row(text, model="ensemble_model", batched=True):
        inputs = {"text": texts([text]), "text_pair": texts(["b"])}
        outputs = {"scores": numbers("FP32", np.array([1.0]))}
        return GoldenRow(model=model, batched=batched, inputs=inputs, outputs=outputs)

    rows = (row("a"), row("c", batched=False), row("d", model="other"))
    return write_golden(GoldenAnswers(rows=rows, comparison="tensors"), tmp_path)


def test_texts_are_made_up_for_a_model_that_takes_one(make_pipeline, tmp_path):
    requests = requests_to(make_pipeline(), tmp_path / "unread", None)
    assert requests.what == f"{len(requests.rows)} texts"
    assert len(requests.rows) > 100
    assert all(row == [("text_input", [1, 1], "BYTES")] for row in sent(requests))


def test_texts_of_a_file(make_pipeline, tmp_path):
    file = tmp_path / "mine.txt"
    file.write_text("first\n\nпомощь\n", encoding="utf-8")
    pipeline = make_pipeline()
    pipeline = replace(pipeline, inputs=(TensorSpec(name="sentence", dtype="BYTES", dims=(1,)),))
    requests = requests_to(pipeline, tmp_path / "unread", file)
    assert requests.what == "2 texts of mine.txt"
    assert [row[0].name() for row in requests.rows] == ["sentence", "sentence"]


def test_other_models_get_their_golden_requests(pair, golden_file):
    requests = requests_to(pair, golden_file, None)
    assert requests.what == "2 golden requests"
    assert [[shape for _, shape, _ in row] for row in sent(requests)] == [[[1, 1], [1, 1]], [[1], [1]]]


def test_texts_for_a_model_of_other_inputs_are_refused(pair, golden_file, tmp_path):
    with pytest.raises(UsageError, match="takes text_input BYTES"):
        requests_to(pair, golden_file, tmp_path / "mine.txt")


@pytest.mark.parametrize("content", [None, b"", b"\n \n", b"\xff"])
def test_a_file_without_texts_is_refused(make_pipeline, tmp_path, content):
    file = tmp_path / "mine.txt"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(UsageError, match=r"--texts .*mine\.txt"):
        requests_to(make_pipeline(), tmp_path / "unread", file)


def test_the_median_is_taken_figure_by_figure():
    rows = [
        Figures(requests_per_second=rate, p50_ms=p50, p99_ms=9.0, cpu_ms=1.0)
        for rate, p50 in ((1.0, 30.0), (3.0, 10.0), (2.0, 20.0))
    ]
    assert Figures.median(rows) == Figures(requests_per_second=2.0, p50_ms=20.0, p99_ms=9.0, cpu_ms=1.0)


class Served(service_pb2_grpc.GRPCInferenceServiceServicer):
    """Answers after `seconds`, or refuses; counts how many wait for it at once."""

    def __init__(self, seconds=0.02, refuses=False):
        self.seconds, self.refuses = seconds, refuses
        self.lock, self.waiting, self.most, self.texts = threading.Lock(), 0, 0, set()

    def ModelInfer(self, request, context):
        with self.lock:
            self.waiting += 1
            self.most = max(self.most, self.waiting)
            self.texts.add(request.raw_input_contents[0][4:].decode())
        time.sleep(self.seconds)
        with self.lock:
            self.waiting -= 1
        if self.refuses:
            context.abort(grpc.StatusCode.UNAVAILABLE, "Exceeds maximum queue size")
        return service_pb2.ModelInferResponse(model_name=request.model_name)


@pytest.fixture
def listen(monkeypatch):
    """`listen(served)`: it as a server in this process."""
    monkeypatch.setattr(closed_loop, "WARM_UP_SECONDS", 0.1)
    server = grpc.server(futures.ThreadPoolExecutor(8))

    def start(served):
        service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(served, server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        return SimpleNamespace(address=SimpleNamespace(grpc=f"127.0.0.1:{port}"), pid=os.getpid())

    yield start
    server.stop(None).wait()


@pytest.fixture
def requests(make_pipeline, tmp_path):
    file = tmp_path / "mine.txt"
    file.write_text("a\nb\nc\n", encoding="utf-8")
    return requests_to(make_pipeline(), tmp_path / "unread", file)


def test_each_client_waits_for_its_answer(listen, requests):
    served = Served()
    found = ask(listen(served), "topics", requests, clients=3, seconds=0.5)
    assert (served.most, served.texts) == (3, {"a", "b", "c"})
    assert 20 <= found.p50_ms <= found.p99_ms
    assert found.requests_per_second < 1.1 * 3 / 0.02
    assert found.cpu_ms > 0


def test_a_refused_request_ends_it(listen, requests):
    with pytest.raises(InferenceServerException, match="Exceeds maximum queue size"):
        ask(listen(Served(refuses=True)), "topics", requests, clients=2, seconds=0.2)


def test_too_few_answers_say_nothing(listen, requests):
    with pytest.raises(UsageError, match=r"0 requests were answered in 0.2 s; raise --seconds"):
        ask(listen(Served(seconds=0.5)), "topics", requests, clients=1, seconds=0.2)

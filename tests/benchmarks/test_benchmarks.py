"""Loads, contestants, options, and what is computed from texts and build trees, without any server."""

import contextlib
import json
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import onnx
import onnxruntime
import pytest

from benchmarks import bare_graphs, clients, padding, run, sizes
from benchmarks.agreement import agreement
from benchmarks.asking import KINDS, Way
from benchmarks.contestant import LIMITS, why
from benchmarks.contestants import CONTESTANTS
from benchmarks.loads import LOADS, QUICK, matches
from benchmarks.repositories import DOCUMENTED, documented, unbatched
from benchmarks.texts import LENGTHS, make_texts
from tests.small_graphs import FLOAT, INT64, constant, node, save, tensor
from utils import ROOT
from utils.host.errors import UsageError
from utils.repository.served_code import load_shared

ENSEMBLE = 'name: "served"\nplatform: "ensemble"\n'
STEP = """name: "text_preprocessing"
backend: "python"
dynamic_batching {
  default_queue_policy { timeout_action: REJECT max_queue_size: 256 }
}
instance_group [ { count: 1 } ]
"""


@pytest.mark.parametrize("batching", ["dynamic_batching { }", "dynamic_batching { max_queue_delay_microseconds: 15 }"])
def test_what_the_templates_write_of_batching_goes(tmp_path, batching):
    config = tmp_path / "built/served/config.pbtxt"
    config.parent.mkdir(parents=True)
    config.write_text(f'name: "served"\n{batching}\nmax_batch_size: 8\n')
    text = (unbatched(tmp_path / "built", tmp_path / "unbatched") / "served/config.pbtxt").read_text()
    assert text.split() == ["name:", '"served"', "max_batch_size:", "8"]
    assert batching in config.read_text(), "the build stays as it is"


def test_loads_are_called_after_what_they_are():
    load = LOADS["mixed-grpc-32x1"]
    assert (load.texts, load.protocol, load.clients, load.batch) == ("mixed", "grpc", 32, 1)
    assert str(load) == "mixed texts, gRPC, 32 clients, 1 a request"
    assert matches(load, ["short-*", "mixed-*x1"])
    assert not matches(load, ["mixed-http-*"])
    assert [LOADS[name].window for name in ("mixed-grpc-1x1", "mixed-grpc-1x8", "mixed-grpc-8x8")] == [1, 8, 64]


def test_every_contestant_has_a_load_and_a_limit():
    for row in CONTESTANTS.values():
        assert any(matches(load, row.loads) for load in LOADS.values()), row.name
        assert row.limit in LIMITS
    assert all(name in LOADS for name in QUICK)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["--loads", "huge-*"], "--loads huge-\\* fits none of: mixed-grpc-1x1"), (["--contestants", "nobody"], "nobody")],
)
def test_what_does_not_exist_is_refused(arguments, message):
    with pytest.raises(UsageError, match=message):
        run.parse_arguments(arguments)


def test_a_trial_writes_elsewhere_and_what_is_given_wins():
    trial, whole = run.parse_arguments(["--quick", "--seconds", "2"]), run.parse_arguments([])
    assert (trial.seconds, trial.rounds, len(trial.contestants)) == (2.0, 1, 2)
    assert trial.out != whole.out == ROOT / "docs"
    assert whole.contestants == list(CONTESTANTS)


def test_texts_are_the_same_each_time_and_as_long_as_their_kind():
    for kind, (_, _, fewest, most) in LENGTHS.items():
        texts = make_texts(kind, 50)
        assert texts == make_texts(kind, 50)
        assert all(fewest <= len(text.split()) <= most for text in texts)


def test_padding_is_the_share_of_what_is_computed():
    assert padding.waste([[4], [8]]) == 0
    assert padding.waste([[4, 8]]) == 1 - 12 / 16
    assert padding.waste([[4], [8]], 16) == 1 - 12 / 32


def test_sorting_wastes_less_than_arrival_and_fixed_lengths_most():
    lengths = [len(text.split()) for text in make_texts("mixed", 320)]
    alone, cut, arrived, fixed = (padding.waste(*way(lengths, 256)) for way in padding.WAYS.values())
    assert alone == 0 < cut < arrived < fixed


def test_agreement_counts_ties_apart():
    expected = [{"a": 0.9, "b": 0.1}, {"a": 0.52, "b": 0.48}, {"a": 0.9, "b": 0.1}, {"a": 0.9, "b": 0.1}]
    assert agreement(expected, ["a", "b", "b", "a"]) == {"same_label": 0.5, "agreement": 0.75}


def test_a_reason_is_one_line_without_our_folder():
    assert why(f"Traceback\nError: no {ROOT}/x\n") == "Error: no ./x"
    assert why("") == "no reason given"


def test_the_size_leaves_out_what_the_image_leaves_out(tmp_path):
    (tmp_path / "wheelhouse").mkdir()
    (tmp_path / "model_repository/m/1").mkdir(parents=True)
    (tmp_path / "model_repository/m/1/model.onnx").write_bytes(b"x" * 2_000_000)
    for name in ("pip-1-py3-none-any.whl", "numpy-1-py3-none-any.whl"):
        with zipfile.ZipFile(tmp_path / "wheelhouse" / name, "w") as wheel:
            wheel.writestr("numpy/core.py", "x" * 1_000_000)
            wheel.writestr("numpy/tests/test_core.py", "x" * 1_000_000)
            wheel.writestr("numpy/core.pyi", "x" * 1_000_000)
    assert sizes.on_top_of_base(tmp_path) == {"wheels_mb": 1.0, "models_mb": 2.0, "size_mb": 3.0}


@pytest.fixture
def ensemble(tmp_path):
    for name, config in (("served", ENSEMBLE), ("text_preprocessing", STEP)):
        (tmp_path / "built" / name / "1").mkdir(parents=True)
        (tmp_path / "built" / name / "config.pbtxt").write_text(config)
    (tmp_path / "built/text_preprocessing/1/model.py").write_text("ours")
    return tmp_path / "built"


def test_dynamic_batching_goes_and_nothing_else(ensemble, tmp_path):
    made = unbatched(ensemble, tmp_path / "made")
    config = (made / "text_preprocessing/config.pbtxt").read_text()
    assert config == STEP[: STEP.index("dynamic")] + STEP[STEP.index("\ninstance") :]
    assert (ensemble / "text_preprocessing/config.pbtxt").read_text() == STEP
    assert (made / "text_preprocessing/1/model.py").read_text() == "ours"


def test_the_documented_ensemble_tokenizes_by_itself(ensemble, tmp_path):
    model = tmp_path / "model"
    model.mkdir()
    for name in ("tokenizer.json", "tokenizer_config.json", "vocab.txt", "config.json", "model.safetensors"):
        (model / name).write_text("{}")
    made = documented(model, ensemble, tmp_path / "made")
    assert 'name: "documented"' in (made / DOCUMENTED / "config.pbtxt").read_text()
    assert "dynamic_batching" not in (made / "text_preprocessing/config.pbtxt").read_text()
    step = made / "text_preprocessing/1"
    assert "AutoTokenizer" in (step / "model.py").read_text()
    assert sorted(path.name for path in step.iterdir()) == [
        "config.json", "model.py", "tokenizer.json", "tokenizer_config.json", "vocab.txt"
    ]  # fmt: skip
    assert (ensemble / "text_preprocessing/1/model.py").read_text() == "ours"


class Asking:
    """A server that answers at once, and from the fifth request on fails, if it is to."""

    def __init__(self, error=None):
        self.error, self.received = error, []

    @contextlib.contextmanager
    def connected(self):
        yield self.send

    def send(self, request):
        self.received.append(len(request))
        if self.error and len(self.received) > 4:
            raise self.error
        return request


def crowd(monkeypatch, asking):
    way = Way(body=lambda texts: b"x" * len(texts), labels=lambda answer: [], connected=asking.connected)
    monkeypatch.setitem(KINDS, "http", lambda _address, _model: way)
    options = ["--kind", "http", "--address", "127.0.0.1:1", "--clients", "2", "--batch", "4", "--seconds", "0.05"]
    monkeypatch.setattr(clients.sys, "argv", ["clients", *options])
    clients.main()


def test_clients_count_texts(monkeypatch, capsys):
    asking = Asking()
    crowd(monkeypatch, asking)
    output = capsys.readouterr()
    figures = json.loads(output.out)
    assert set(asking.received) == {4}
    assert figures["texts"] % 4 == 0
    assert 0 < figures["p50_ms"] <= figures["p99_ms"]
    assert output.err.splitlines() == ["started", "stopped"]


def test_a_client_that_fails_fails_the_measurement(monkeypatch):
    with pytest.raises(RuntimeError, match="out of order"):
        crowd(monkeypatch, Asking(ConnectionError("out of order")))


def test_the_fused_batches_are_those_of_the_served_component():
    batches, least = padding.sorted_by_length([5, 100, 200, 7], 256)
    assert least == 0
    assert sorted(map(sorted, batches)) == sorted(
        sorted([5, 100, 200, 7][place] for place in group)
        for group in load_shared("length_batches").length_batches([5, 100, 200, 7], 256)
    )


class Echo(BaseHTTPRequestHandler):
    """Says what it was asked: each text is its own label, and `no` is refused."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        texts = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["texts"]
        answer = json.dumps({"predicts": texts}).encode()
        self.send_response(503 if texts == ["no"] else 200)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        return


def test_http_keeps_its_connection_and_tells_a_refusal():
    with ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        way = KINDS["fastapi"](f"127.0.0.1:{server.server_port}", "")
        with way.connected() as send:
            assert way.labels(send(way.body(["a", "ж"]))) == ["a", "ж"]
            assert way.labels(send(way.body(["b"]))) == ["b"]
            with pytest.raises(RuntimeError, match="503"):
                send(way.body(["no"]))
        server.shutdown()


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        (
            "http",
            {"outputs": [{"name": "scores"}, {"name": "predicts", "shape": [2, 2], "data": ["a", "b", "c", "a"]}]},
        ),
        (
            "infinity",
            {"data": [[{"label": n, "score": s} for n, s in row] for row in ([("b", 0), ("a", 1)], [("c", 1)])]},
        ),
        ("mlserver", {"outputs": [{"name": "output", "data": ['{"label": "a"}', '{"label": "c"}']}]}),
    ],
)
def test_labels_are_read_from_each_servers_answer(kind, answer):
    assert KINDS[kind]("127.0.0.1:1", "m").labels(json.dumps(answer).encode()) == ["a", "c"]


def test_grpc_requests_are_those_of_the_client_library():
    from tritonclient.grpc import service_pb2

    made = service_pb2.ModelInferRequest.FromString(KINDS["grpc"]("127.0.0.1:1", "topics").body(["a", "ж"]))
    assert made.model_name == "topics"
    assert [(each.name, each.datatype, list(each.shape)) for each in made.inputs] == [("text_input", "BYTES", [2, 1])]
    assert made.raw_input_contents[0] == b"\x01\0\0\0a\x02\0\0\0" + "ж".encode()
    answer = service_pb2.ModelInferResponse(raw_output_contents=[b"\x01\0\0\0c"])
    answer.outputs.add(name="predicts", datatype="BYTES", shape=[1, 1])
    assert KINDS["grpc"]("", "").labels(answer.SerializeToString()) == ["c"]


def test_the_bare_graphs_are_a_file_each_whatever_the_build_has(tmp_path):
    tensors = [constant("table", list(range(64)), "float32"), constant("axes", [1], "int64")]
    nodes = [node("Gather", ["table", "x"], ["found"]), node("ReduceSum", ["found", "axes"], ["y"], keepdims=1)]
    inputs, outputs = [tensor("x", INT64, ["batch", "tokens"])], [tensor("y", FLOAT, ["batch", 1])]
    graph = save(tmp_path / "model.onnx", nodes, inputs, outputs, tensors)
    onnx.save(onnx.load(graph), graph, save_as_external_data=True, location="model.onnx_data", size_threshold=0)
    (tmp_path / "bare").mkdir()
    bare_graphs.write(graph, tmp_path / "bare")
    assert sorted(path.name for path in (tmp_path / "bare").iterdir()) == ["fp32.onnx", "int8.onnx"]
    session = onnxruntime.InferenceSession(str(tmp_path / "bare/fp32.onnx"), providers=["CPUExecutionProvider"])
    assert session.run(None, {"x": np.array([[1, 2, 63]])})[0].tolist() == [[66.0]]

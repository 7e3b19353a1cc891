import pytest

from tests import small_graphs
from utils.convert.onnx.ready_graph import read_onnx
from utils.convert.origins import frozen_graph, inspect_models
from utils.convert.types import GoldenPair
from utils.host.errors import ExportError, SourceError
from utils.options.build_spec import parse_arguments


def spec_of(model, *options):
    return parse_arguments([str(model), "-", "-", "some-model", "v1", "8", "--task", "onnx", *map(str, options)])


def looked_at(model, folder, *options):
    return inspect_models(spec_of(model, *options).request, folder).by_name


def test_a_folder_with_one_graph_is_that_graph(tmp_path):
    file = small_graphs.doubling(tmp_path / "models" / "some.onnx")
    by_folder, by_file = (looked_at(each, tmp_path / "work")["some-model"].known for each in (file.parent, file))
    assert by_folder == by_file
    assert by_file.facts["model"] == {"graph": "some.onnx", "opset": 17, "ir_version": 8}


def test_of_several_graphs_the_one_called_model(tmp_path):
    for name in ("model", "other"):
        small_graphs.doubling(tmp_path / "models" / f"{name}.onnx")
    assert looked_at(tmp_path / "models", tmp_path)["some-model"].known.graph.file.name == "model.onnx"
    (tmp_path / "models/model.onnx").rename(tmp_path / "models/third.onnx")
    with pytest.raises(SourceError, match=r"several graphs \(other.onnx, third.onnx\); name one graph"):
        looked_at(tmp_path / "models", tmp_path)
    with pytest.raises(SourceError, match="holds no graph"):
        looked_at(tmp_path / "models/..", tmp_path)


def test_the_revision_changes_with_the_graph_and_with_its_weights(tmp_path):
    file = small_graphs.external(tmp_path / "some.onnx")
    data = tmp_path / "some.onnx.data"

    def revision():
        return looked_at(file, tmp_path / "work")["some-model"].known.revisions["model"]

    first = revision()
    assert first == revision() and first.startswith("sha256:")
    data.write_bytes(data.read_bytes()[:-4] + b"\0\0\0\0")
    assert revision() != first


def test_what_a_dry_run_tells_is_what_a_conversion_finds(tmp_path):
    for number, make in enumerate((small_graphs.detection, small_graphs.recognition, small_graphs.scalars)):
        origin = looked_at(make(tmp_path / f"{number}.onnx"), tmp_path / "work")["some-model"]
        predicted, converted = origin.predict(), origin.convert(origin.fetch(), tmp_path / f"artifacts{number}").graph
        assert (predicted.inputs, predicted.outputs) == (converted.inputs, converted.outputs)
        assert predicted.batched == converted.batched


def test_a_graph_comes_with_its_golden_requests(tmp_path):
    file = small_graphs.external(tmp_path / "some.onnx")
    origin = looked_at(file, tmp_path / "work")["some-model"]
    converted = origin.convert(origin.fetch(), tmp_path / "artifacts")
    assert converted.graph.batched and len(converted.golden) == 4
    assert all(isinstance(pair, GoldenPair) for pair in converted.golden)
    assert sorted(path.name for path in (tmp_path / "artifacts").iterdir()) == ["model.onnx", "some.onnx.data"]


def test_the_files_given_are_not_touched(tmp_path):
    file = small_graphs.scalars(tmp_path / "some.onnx")
    before = file.read_bytes()
    origin = looked_at(file, tmp_path / "work")["some-model"]
    origin.convert(origin.fetch(), tmp_path / "artifacts")
    assert file.read_bytes() == before != (tmp_path / "artifacts/model.onnx").read_bytes()
    assert not (tmp_path / "work").exists()


def test_a_graph_newer_than_the_release_is_reported_before_any_work(tmp_path):
    file = small_graphs.doubling(tmp_path / "some.onnx", opset=21, ir=10)
    with pytest.raises(ExportError, match=r"--release 24\.05 or newer"):
        looked_at(file, tmp_path / "work", "--release", "24.01")


def test_a_frozen_graph_is_converted_between_the_tensors_named(tmp_path, monkeypatch):
    """The conversion itself: tests/unit/convert/origins/test_frozen_graph.py."""
    received = {}

    def convert(pb, destination, **options):
        received.update(options, pb=pb)
        return small_graphs.detection(destination)

    monkeypatch.setattr(frozen_graph, "convert", convert)
    (tmp_path / "east.pb").write_bytes(b"a frozen graph")
    words = ("--inputs", small_graphs.IMAGES, "--outputs", f"{small_graphs.SCORES},{small_graphs.GEOMETRY}")
    origin = looked_at(tmp_path / "east.pb", tmp_path / "work", *words, "--release", "24.01")["some-model"]
    assert received == {
        "pb": tmp_path / "east.pb",
        "inputs": (small_graphs.IMAGES,),
        "outputs": (small_graphs.SCORES, small_graphs.GEOMETRY),
        "opset": 18,
    }
    graph = origin.convert(origin.fetch(), tmp_path / "artifacts").graph
    assert [tensor.name for tensor in graph.inputs] == [small_graphs.IMAGES]
    assert read_onnx(graph.path).opset == 17


def test_what_lies_here_is_looked_at_before_any_server_is_asked(tmp_path):
    (tmp_path / "bad.onnx").write_text("no graph")
    with pytest.raises(SourceError, match=r"bad.onnx' is no ONNX file"):
        looked_at("hf:user/nobody-asks-for-it", tmp_path, "--add-model", f"beside={tmp_path / 'bad.onnx'}")

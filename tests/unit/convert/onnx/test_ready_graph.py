import onnx
import pytest
from onnx import TensorProto, helper

from tests import small_graphs
from utils.convert.onnx.ready_graph import read_onnx, require_external_files, require_loadable
from utils.host.errors import ExportError, SourceError
from utils.targets.releases import find_release


@pytest.fixture
def file(tmp_path):
    return tmp_path / "models" / "some.onnx"


def specs(graph, *, batched):
    return [str(each.spec(batched=batched)) for each in (*graph.inputs, *graph.outputs)]


def test_names_types_and_sizes_are_those_of_the_graph(file):
    graph = read_onnx(small_graphs.detection(file))
    assert specs(graph, batched=True) == [
        "input_images:0 FP32 [-1, -1, 3]",
        "feature_fusion/Conv_7/Sigmoid:0 FP32 [-1, -1, 1]",
        "feature_fusion/concat_3:0 FP32 [-1, -1, 5]",
    ]
    assert (graph.opset, graph.ir_version, graph.external_files) == (17, 8, ())


def test_every_kind_of_tensor_that_triton_carries(file):
    graph = read_onnx(small_graphs.kinds(file))
    assert [each.dtype for each in graph.inputs] == ["FP16", "BOOL", "BYTES", "INT64"]
    assert [each.dtype for each in graph.outputs] == ["FP16", "BOOL", "BYTES", "FP64"]


@pytest.mark.parametrize(
    ("make", "may_be"),
    [
        (small_graphs.detection, True),  # each free dimension has an invented name of its own
        (small_graphs.doubling, True),
        (small_graphs.one_number_a_row, True),
        (small_graphs.mixing, True),  # only a run can tell
        (small_graphs.recognition, False),
        (small_graphs.scalars, False),
        (small_graphs.disagreeing, False),
    ],
)
def test_what_may_be_a_batch(make, may_be, file):
    assert read_onnx(make(file)).may_be_batched is may_be


def test_what_has_no_dimension_is_served_as_one_number(file):
    whole = read_onnx(small_graphs.scalars(file)).inputs[1].spec(batched=False)
    assert (whole.dims, whole.reshape) == ((1,), None)
    row = read_onnx(small_graphs.one_number_a_row(file.with_name("row.onnx"))).inputs[0].spec(batched=True)
    assert (row.dims, row.reshape) == ((1,), ())
    usual = read_onnx(small_graphs.doubling(file.with_name("usual.onnx"))).inputs[0].spec(batched=True)
    assert (usual.dims, usual.reshape) == ((3,), None)


def test_an_input_with_a_value_of_its_own_is_not_asked_for(file):
    inputs = [small_graphs.tensor("x", TensorProto.FLOAT, ["n", 3]), small_graphs.tensor("w", TensorProto.FLOAT, [3])]
    outputs = [small_graphs.tensor("y", TensorProto.FLOAT, ["n", 3])]
    nodes = [small_graphs.node("Add", ["x", "w"], ["y"])]
    small_graphs.save(file, nodes, inputs, outputs, [small_graphs.constant("w", [1, 2, 3])])
    assert [each.name for each in read_onnx(file).inputs] == ["x"]


def test_weights_beside_the_graph_must_be_there(file):
    graph = read_onnx(small_graphs.external(file))
    assert graph.external_files == ("some.onnx.data",)
    require_external_files(graph)
    (file.parent / "some.onnx.data").unlink()
    with pytest.raises(SourceError, match=r"'some.onnx.data', which is not beside it.*copy that file"):
        require_external_files(graph)


@pytest.mark.parametrize("location", ["../secret", "deeper/weights.bin", "/etc/passwd", "model.onnx"])
def test_weights_elsewhere_are_refused(file, location):
    small_graphs.external(file)
    model = onnx.load(str(file), load_external_data=False)
    model.graph.initializer[0].external_data[0].value = location
    file.write_bytes(model.SerializeToString())
    with pytest.raises(SourceError, match="must lie beside it"):
        read_onnx(file)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "holds no graph"),
        (b"not a graph at all", "is no ONNX file"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "Git LFS pointer"),
        (b"\x08\x08", "holds no graph"),
    ],
)
def test_what_is_no_onnx_file_is_refused(file, content, message):
    file.parent.mkdir()
    file.write_bytes(content)
    with pytest.raises(SourceError, match=message) as refusal:
        read_onnx(file)
    assert refusal.value.exit_code == 3


def test_a_file_that_is_not_there_is_refused(file):
    with pytest.raises(SourceError, match="is no file"):
        read_onnx(file)


def test_a_file_that_is_cut_short_is_refused(file):
    whole = small_graphs.recognition(file).read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SourceError, match="cut short"):
        read_onnx(file)


def edited(file, change):
    model = onnx.load(str(small_graphs.doubling(file)))
    change(model.graph)
    file.write_bytes(model.SerializeToString())
    return file


def sequence(graph):
    graph.output[0].CopyFrom(helper.make_tensor_sequence_value_info("y", TensorProto.FLOAT, None))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda graph: setattr(graph.input[0], "name", ""), "without a name"),
        (lambda graph: setattr(graph.output[0], "name", "x"), "more than one input or output called 'x'"),
        (lambda graph: graph.output.append(graph.output[0]), "more than one input or output called 'y'"),
        (lambda graph: graph.ClearField("input"), "takes no input"),
        (lambda graph: graph.output[0].type.tensor_type.ClearField("shape"), "does not say how many dimensions"),
        (lambda graph: setattr(graph.input[0].type.tensor_type, "elem_type", TensorProto.COMPLEX64), "COMPLEX64"),
        (lambda graph: setattr(graph.input[0].type.tensor_type, "elem_type", TensorProto.BFLOAT16), "BFLOAT16"),
        (lambda graph: setattr(graph.input[0].type.tensor_type, "elem_type", TensorProto.FLOAT8E4M3FN), "FLOAT8E4M3FN"),
        (lambda graph: setattr(graph.input[0].type.tensor_type, "elem_type", 0), "UNDEFINED"),
        (lambda graph: setattr(graph.input[0].type.tensor_type.shape.dim[0], "dim_value", 0), "no dimension of size 0"),
        (sequence, "is a sequence"),
    ],
)
def test_a_graph_that_cannot_be_served_is_refused(file, change, message):
    with pytest.raises(ExportError, match=message) as refusal:
        read_onnx(edited(file, change))
    assert refusal.value.exit_code == 4
    assert "some.onnx" in str(refusal.value)


def test_a_negative_size_is_a_free_dimension_as_in_onnx_runtime(file):
    def change(graph):
        for value in (*graph.input, *graph.output):
            value.type.tensor_type.shape.dim[0].dim_value = -1

    assert [tensor.shape for tensor in read_onnx(edited(file, change)).inputs] == [("", 3)]


@pytest.mark.parametrize(("opset", "ir"), [(17, 8), (7, 3)])
def test_a_graph_that_the_release_loads_passes(file, opset, ir):
    require_loadable(read_onnx(small_graphs.doubling(file, opset=opset, ir=ir)), find_release("24.01"))


@pytest.mark.parametrize(
    ("opset", "ir", "message"),
    [
        (20, 9, "--release 24.03 or newer"),
        (19, 10, "--release 24.05 or newer"),
        (21, 10, "--release 24.05 or newer"),
        (99, 8, "; export it for an older one"),
    ],
)
def test_a_graph_newer_than_the_release_is_refused_with_one_that_loads_it(file, opset, ir, message):
    graph = read_onnx(small_graphs.doubling(file, opset=opset, ir=ir))
    with pytest.raises(ExportError, match=message) as refusal:
        require_loadable(graph, find_release("24.01"))
    assert f"opset {opset} and IR version {ir}" in str(refusal.value)
    assert "at most opset 19 and IR version 9" in str(refusal.value)

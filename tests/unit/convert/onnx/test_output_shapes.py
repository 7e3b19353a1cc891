"""The output shapes of a ready graph are those that ONNX Runtime's session reports."""

import onnx
import pytest

from tests import small_graphs
from utils.convert.onnx.exported_graph import onnx_session
from utils.convert.onnx.output_shapes import as_run, declare_outputs
from utils.convert.onnx.ready_graph import read_onnx
from utils.host.errors import ExportError


def run_of(file):
    return as_run(onnx_session(file), read_onnx(file))


def test_an_inferred_size_takes_the_place_of_a_free_one(tmp_path):
    file = small_graphs.inferable(tmp_path / "some.onnx")
    assert [tensor.shape for tensor in read_onnx(file).outputs] == [("n", "classes")]
    assert [tensor.shape for tensor in run_of(file).outputs] == [("n", 5)]


def test_a_first_dimension_that_is_inferred_is_no_batch(tmp_path):
    to = small_graphs.constant("to", [2, -1], "int64")
    file = small_graphs.save(
        tmp_path / "some.onnx",
        [small_graphs.node("Reshape", ["x", "to"], ["y"])],
        [small_graphs.tensor("x", small_graphs.FLOAT, ["n", 4])],
        [small_graphs.tensor("y", small_graphs.FLOAT, ["n", "rest"])],
        [to],
    )
    assert read_onnx(file).may_be_batched and not run_of(file).may_be_batched


@pytest.mark.parametrize("make", [small_graphs.detection, small_graphs.scalars, small_graphs.kinds])
def test_what_is_not_inferred_stays_as_it_is(tmp_path, make):
    file = make(tmp_path / "some.onnx")
    content = file.read_bytes()
    assert run_of(file) == read_onnx(file)
    declare_outputs(run_of(file), file)
    assert file.read_bytes() == content


def test_sizes_are_declared_for_releases_that_infer_less(tmp_path):
    file = small_graphs.inferable(tmp_path / "some.onnx")
    declare_outputs(run_of(file), file)
    (output,) = onnx.load(str(file)).graph.output
    assert [(each.dim_param, each.dim_value) for each in output.type.tensor_type.shape.dim] == [("n", 0), ("", 5)]


def test_an_output_of_no_size_is_refused(tmp_path):
    nothing = small_graphs.constant("nothing", [[]] * 3)
    file = small_graphs.save(
        tmp_path / "some.onnx",
        [small_graphs.node("MatMul", ["x", "nothing"], ["y"])],
        [small_graphs.tensor("x", small_graphs.FLOAT, ["n", 3])],
        [small_graphs.tensor("y", small_graphs.FLOAT, ["n", "none"])],
        [nothing],
    )
    with pytest.raises(
        ExportError, match=r"'y' of some.onnx has shape \['n', 0\], and Triton serves no dimension of si"
    ):
        run_of(file)

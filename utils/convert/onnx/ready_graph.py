"""A ready ONNX file, read and checked without running it: its tensors, and whether their first dimension is a batch."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from utils.convert.onnx.walk import graphs_of, nodes_of
from utils.host.errors import ExportError, SourceError
from utils.host.json_file import GIT_LFS, exists
from utils.repository.pipeline import Graph
from utils.repository.tensors import TRITON_DTYPES, TensorSpec
from utils.targets.releases import Release, usable_releases

GRAPH_FILE = "model.onnx"
# Names that converters invent, a new one for each free dimension; they say nothing of which are equal.
_INVENTED = re.compile(r"|unk__\d+")
# Kinds of ONNX values that are no tensors, as onnx.proto3 calls them.
_REMEDIES = {
    "sequence_type": "a sequence; of scikit-learn models convert with the option zipmap=False",
    "map_type": "a map; of scikit-learn models convert with the option zipmap=False",
    "sparse_tensor_type": "a sparse tensor; make it dense in the graph",
    "optional_type": "an optional value; make it a tensor",
}


@dataclass(frozen=True, kw_only=True)
class GraphTensor:
    """A tensor with its whole shape: sizes, and the names of dimensions that are free ("" where it has none)."""

    name: str
    dtype: str
    shape: tuple[int | str, ...]

    def inferred(self, shape: Sequence[int | str | None]) -> "GraphTensor":
        """With the sizes of `shape`, which a session reports, in place of dimensions that the file leaves free."""
        sizes = zip(self.shape, shape, strict=True)
        return replace(self, shape=tuple(size if isinstance(size, int) else own for own, size in sizes))

    def spec(self, *, batched: bool) -> TensorSpec:
        """As a model config names it. Triton knows no empty dims: what has none is served as [1]."""
        shape = self.shape[1:] if batched else self.shape
        dims = tuple(size if isinstance(size, int) else -1 for size in shape)
        # Triton takes that dimension away from each row again, but not from a whole tensor (served_copy.py).
        return TensorSpec(
            name=self.name, dtype=self.dtype, dims=dims or (1,), reshape=() if batched and not dims else None
        )


@dataclass(frozen=True, kw_only=True)
class OnnxGraph:
    """What an ONNX file says of itself. `external_files` lie beside it. `opset`: that of ONNX's own operators."""

    file: Path
    inputs: tuple[GraphTensor, ...]
    outputs: tuple[GraphTensor, ...]
    opset: int
    ir_version: int
    external_files: tuple[str, ...]

    @property
    def may_be_batched(self) -> bool:
        """Is the first dimension of every tensor free, and the same one as far as names tell?

        Only a run can say for certain: utils/convert/onnx/golden.py.
        """
        firsts = [tensor.shape[0] if tensor.shape else 0 for tensor in (*self.inputs, *self.outputs)]
        named = {first for first in firsts if isinstance(first, str) and not _INVENTED.fullmatch(first)}
        return all(isinstance(first, str) for first in firsts) and len(named) <= 1

    def served(self, file: Path, *, batched: bool) -> Graph:
        """As a graph of the repository's plan, in `file`."""
        return Graph(
            path=file,
            inputs=tuple(tensor.spec(batched=batched) for tensor in self.inputs),
            outputs=tuple(tensor.spec(batched=batched) for tensor in self.outputs),
            external_files=self.external_files,
            batched=batched,
        )


def read_onnx(file: Path) -> OnnxGraph:
    """Reads `file` without its weights.

    SourceError (3) for what is no whole ONNX file, ExportError (4) for a graph that Triton cannot serve.
    """
    model = _parsed(file)
    constants = {tensor.name for tensor in model.graph.initializer}
    inputs = tuple(_tensor(value, file) for value in model.graph.input if value.name not in constants)
    outputs = tuple(_tensor(value, file) for value in model.graph.output)
    _check_names(inputs, outputs, file)
    return OnnxGraph(
        file=file,
        inputs=inputs,
        outputs=outputs,
        opset=next((each.version for each in model.opset_import if each.domain in ("", "ai.onnx")), 1),
        ir_version=model.ir_version,
        external_files=_external_files(model, file),
    )


def _parsed(file: Path) -> Any:
    import onnx

    if not exists(file) or not file.is_file():
        raise SourceError(f"{str(file)!r} is no file; name an ONNX graph, such as model.onnx")
    try:
        with file.open("rb") as stream:
            if stream.read(len(GIT_LFS)) == GIT_LFS:
                raise SourceError(f"{str(file)!r} is a Git LFS pointer; run `git lfs pull` in its repository")
        model = onnx.load(str(file), load_external_data=False)
    except SourceError:
        raise
    except OSError as error:
        raise SourceError(f"{str(file)!r} cannot be read ({error.strerror}); make it readable for this user") from error
    except Exception as error:  # protobuf's DecodeError has no public base
        raise SourceError(f"{str(file)!r} is no ONNX file, or cut short; export or copy it again") from error
    if not model.ir_version or not model.graph.output:
        raise SourceError(f"{str(file)!r} is no ONNX file: it holds no graph with outputs; export or copy it again")
    return model


def _tensor(value: Any, file: Path) -> GraphTensor:
    kind = value.type.WhichOneof("value")
    if kind != "tensor_type":
        remedy = _REMEDIES.get(kind, "of no type; export the model again")
        raise ExportError(f"{value.name!r} of {file.name} is no tensor, and Triton carries only those: it is {remedy}")
    tensor = value.type.tensor_type
    dtype = TRITON_DTYPES.get(tensor.elem_type)
    if dtype is None or dtype == "BF16":  # BF16 has no form in JSON, numpy or most clients: it could not be asked
        raise ExportError(
            f"the tensor {value.name!r} of {file.name} has ONNX type {_type_name(tensor.elem_type)}, which cannot be "
            f"served; cast it in the graph to one of: {', '.join(sorted(set(TRITON_DTYPES.values()) - {'BF16'}))}"
        )
    if not tensor.HasField("shape"):
        raise ExportError(
            f"the tensor {value.name!r} of {file.name} does not say how many dimensions it has, and a config must; "
            "run onnx.shape_inference.infer_shapes on the graph, or export it with shapes"
        )
    found = GraphTensor(name=value.name, dtype=dtype, shape=tuple(map(_size, tensor.shape.dim)))
    require_sizes(found, file)
    return found


def require_sizes(tensor: GraphTensor, file: Path) -> None:
    """ExportError for a dimension of size 0, which no config can name: Triton takes sizes from 1, and -1 (free)."""
    if 0 in tensor.shape:
        raise ExportError(
            f"the tensor {tensor.name!r} of {file.name} has shape {list(tensor.shape)}, and Triton serves no dimension "
            "of size 0; export the graph with the size that the tensor has, or leave the dimension free"
        )


def _size(dimension: Any) -> int | str:
    """Negative sizes stand for free dimensions, as in ONNX Runtime."""
    is_size = dimension.HasField("dim_value") and dimension.dim_value >= 0
    return int(dimension.dim_value) if is_size else str(dimension.dim_param)


def _type_name(number: int) -> str:
    import onnx

    try:
        return str(onnx.TensorProto.DataType.Name(number))
    except ValueError:
        return str(number)


def _check_names(inputs: tuple[GraphTensor, ...], outputs: tuple[GraphTensor, ...], file: Path) -> None:
    if not inputs:
        raise ExportError(f"{file.name} takes no input, so that nothing could be asked of it; export it with inputs")
    names = [tensor.name for tensor in (*inputs, *outputs)]
    if "" in names:
        raise ExportError(f"{file.name} has an input or output without a name; name it in the graph")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ExportError(
            f"{file.name} has more than one input or output called {twice[0]!r}; give each a name of its own"
        )


def _external_files(model: Any, file: Path) -> tuple[str, ...]:
    """The names of the files that hold weights; SourceError for one that does not lie right beside the graph."""
    from onnx.external_data_helper import ExternalDataInfo, uses_external_data

    tensors = _tensors_of(model.graph)
    names = sorted({ExternalDataInfo(each).location for each in tensors if uses_external_data(each)})
    for name in names:
        if PurePosixPath(name).name != name or name == GRAPH_FILE:
            raise SourceError(
                f"{file.name} keeps weights in {name!r}, and they must lie beside it under a name of their own; save "
                "it again with onnx.save_model(..., save_as_external_data=True, location='model.onnx.data')"
            )
    return tuple(names)


def _tensors_of(graph: Any) -> list[Any]:
    """Initializers and constants of nodes, in the bodies of loops and branches too."""
    found = [tensor for body in graphs_of(graph) for tensor in body.initializer]
    for attribute in (attribute for node in nodes_of(graph.node) for attribute in node.attribute):
        found += [*([attribute.t] if attribute.HasField("t") else []), *attribute.tensors]
    return found


def require_external_files(graph: OnnxGraph) -> None:
    """SourceError when weights that the graph keeps in files of their own are not there."""
    for name in graph.external_files:
        if not exists(graph.file.parent / name):
            raise SourceError(
                f"{graph.file.name} keeps weights in {name!r}, which is not beside it in {str(graph.file.parent)!r}; "
                "copy that file, too"
            )


def require_loadable(graph: OnnxGraph, release: Release) -> None:
    """ExportError for a graph newer than what the release's ONNX Runtime loads, naming a release that does."""
    if graph.opset <= release.max_opset and graph.ir_version <= release.max_ir:
        return
    taking = [each for each in usable_releases().values() if graph.opset <= each.max_opset]
    newer = [each.name for each in taking if graph.ir_version <= each.max_ir]
    way_out = f"build for --release {newer[0]} or newer, or " if newer else ""
    raise ExportError(
        f"{graph.file.name} is of opset {graph.opset} and IR version {graph.ir_version}, and ONNX Runtime "
        f"{release.onnxruntime} of Triton {release.name} loads at most opset {release.max_opset} and IR version "
        f"{release.max_ir}; {way_out}export it for an older one"
    )

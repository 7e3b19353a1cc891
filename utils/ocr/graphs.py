"""The inputs and outputs that --task ocr requires of a text detector and a text recognizer. Standard library only."""

from collections.abc import Callable, Mapping, Sequence

from utils.host.errors import ExportError
from utils.repository.pipeline import Graph
from utils.repository.tensors import TensorSpec
from utils.sources.labels import Labels, require_count

DETECTION, RECOGNITION = "text_detection", "text_recognition"
# Named dimensions in the required shapes, and the sizes of a graph that they accept (-1: dynamic).
SIZES: dict[str, Callable[[int], bool]] = {
    "1 or dynamic": lambda size: size in (-1, 1),
    "dynamic": lambda size: size == -1,
    "fixed": lambda size: size > 0,
    "any": lambda _: True,
}


def maps_of(detector: Graph) -> tuple[TensorSpec, ...]:
    """The detector's outputs: scores, then geometry, whatever their order in the graph."""
    return tuple(sorted(detector.outputs, key=lambda tensor: tensor.dims[-1]))


def check(graphs: Mapping[str, Graph], labels: Labels) -> None:
    """ExportError for graphs with other inputs or outputs; SourceError for a wrong number of labels.

    Source of the shapes: EAST (one score map; RBOX geometry of four distances and an angle) and CTC (frames by class).
    """
    detector, recognizer = graphs[DETECTION], graphs[RECOGNITION]
    _require(DETECTION, "input", detector.inputs, ("1 or dynamic", "dynamic", "dynamic", 3))
    _require(DETECTION, "outputs", maps_of(detector), ("any", "any", "any", 1), ("any", "any", "any", 5))
    _require(RECOGNITION, "input", recognizer.inputs, ("dynamic", 1, "fixed", "fixed"))
    _require(RECOGNITION, "output", recognizer.outputs, ("dynamic", "any", "fixed"))
    require_count(labels, recognizer.outputs[0].dims[-1])


def _require(model: str, role: str, tensors: Sequence[TensorSpec], *shapes: tuple[int | str, ...]) -> None:
    if len(tensors) != len(shapes) or not all(map(_fits, tensors, shapes)):
        required = " and ".join(f"FP32 [{', '.join(map(str, shape))}]" for shape in shapes)
        raise ExportError(
            f"the graph for {model} has {role} {' and '.join(map(str, tensors))} (-1: dynamic), and --task ocr needs "
            f"{required}; export it with that shape, or serve it with --task onnx"
        )


def _fits(tensor: TensorSpec, shape: tuple[int | str, ...]) -> bool:
    if tensor.dtype != "FP32" or len(tensor.dims) != len(shape):
        return False
    return all(
        SIZES[required](size) if isinstance(required, str) else size == required
        for size, required in zip(tensor.dims, shape, strict=True)
    )

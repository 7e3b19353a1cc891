"""What a text detector and a text recognizer must take and give, for the steps around them. Standard library only."""

from collections.abc import Callable, Mapping, Sequence

from utils.host.errors import ExportError
from utils.repository.pipeline import Graph
from utils.repository.tensors import TensorSpec
from utils.sources.labels import Labels, require_count

DETECTION, RECOGNITION = "text_detection", "text_recognition"
# A dimension of a graph that is no number: what it stands for, and the sizes it may have (-1 where it is free).
SIZES: dict[str, Callable[[int], bool]] = {
    "1 or any": lambda size: size in (-1, 1),
    "any": lambda size: size == -1,
    "known": lambda size: size > 0,
    "some": lambda _: True,
}


def maps_of(detector: Graph) -> tuple[TensorSpec, ...]:
    """Scores, then geometry, in whatever order the graph has them."""
    return tuple(sorted(detector.outputs, key=lambda tensor: tensor.dims[-1]))


def check(graphs: Mapping[str, Graph], labels: Labels) -> None:
    """ExportError for graphs that are no detector or recognizer as the steps need them; SourceError for the labels.

    Source of the shapes: EAST's one scale and its RBOX geometry of four distances and an angle; CTC's frames by class.
    """
    detector, recognizer = graphs[DETECTION], graphs[RECOGNITION]
    _require(DETECTION, "takes", detector.inputs, ("1 or any", "any", "any", 3))
    _require(DETECTION, "gives", maps_of(detector), ("some", "some", "some", 1), ("some", "some", "some", 5))
    _require(RECOGNITION, "takes", recognizer.inputs, ("any", 1, "known", "known"))
    _require(RECOGNITION, "gives", recognizer.outputs, ("any", "some", "known"))
    require_count(labels, recognizer.outputs[0].dims[-1])


def _require(model: str, verb: str, tensors: Sequence[TensorSpec], *shapes: tuple[int | str, ...]) -> None:
    fitting = len(tensors) == len(shapes) and all(map(_fits, tensors, shapes))
    if not fitting:
        wanted = " and ".join(f"FP32 [{', '.join(map(str, shape))}]" for shape in shapes)
        raise ExportError(
            f"the graph for {model} {verb} {' and '.join(map(str, tensors))} (-1: any size), and --task ocr is for one "
            f"that {verb} {wanted}; export it so, or serve it with --task onnx"
        )


def _fits(tensor: TensorSpec, shape: tuple[int | str, ...]) -> bool:
    if tensor.dtype != "FP32" or len(tensor.dims) != len(shape):
        return False
    return all(
        SIZES[wanted](size) if isinstance(wanted, str) else size == wanted
        for size, wanted in zip(tensor.dims, shape, strict=True)
    )

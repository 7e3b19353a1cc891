"""OCR: a text detector and a text recognizer, two ready graphs, become one served pipeline.

The detector gives EAST's maps (Zhou et al., 2017), the recognizer frames for CTC (Graves et al., 2006).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from utils.convert.task import GraphPipeline, GraphTask, TaskOption
from utils.convert.types import Settings, Tensors
from utils.host.errors import UsageError
from utils.host.numbers import whole_number
from utils.ocr.graphs import DETECTION, RECOGNITION, check, maps_of
from utils.repository.pipeline import Graph, Ingredients, Step
from utils.repository.steps import id2label, step_of, step_of_graph
from utils.repository.tensors import TensorSpec

# The settings.json of the two components. The means are ImageNet's, as in NVIDIA's tutorial.
PREPROCESSING = {"longest_side": 640, "most_pixels": 16_000_000, "means": [123.68, 116.78, 103.94]}
POSTPROCESSING = {"score_threshold": 0.8, "overlap_threshold": 0.2, "most_boxes": 200}
SHORTEST_SIDE = 32

IMAGE = TensorSpec(name="image", dtype="BYTES", dims=(1,))
PICTURE = TensorSpec(name="picture", dtype="UINT8", dims=(-1, -1, 1))
WORDS = TensorSpec(name="words", dtype="BYTES", dims=(-1,))
BOXES = TensorSpec(name="boxes", dtype="FP32", dims=(-1, 4, 2))
SCORES = TensorSpec(name="scores", dtype="FP32", dims=(-1,))


def _longest_side(text: str) -> int:
    side = whole_number("--longest-side", text, most=8192)
    if side < SHORTEST_SIDE:
        raise UsageError(f"--longest-side is {side}; detectors see at least {SHORTEST_SIDE} pixels")
    return side


def _numbers(option: str, text: str, count: int, most: float) -> list[float]:
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        values = []
    if len(values) != count or not all(0 <= value <= most for value in values):
        raise UsageError(f"{option} is {text!r}; it must be {count} numbers from 0 to {most:g}, joined by commas")
    return values


LONGEST_SIDE = TaskOption(
    name="longest_side",
    metavar="PIXELS",
    help="maximum picture side before detection; larger ones shrink (default: 640)",
    parse=_longest_side,
)
MEANS = TaskOption(
    name="means",
    metavar="R,G,B",
    help="colour means to subtract before detection (default: ImageNet's)",
    parse=lambda text: _numbers("--means", text, 3, 255),
)
SCORE_THRESHOLD = TaskOption(
    name="score_threshold",
    metavar="SCORE",
    help="minimum detector confidence (default: 0.8)",
    parse=lambda text: _numbers("--score-threshold", text, 1, 1)[0],
)


def detection_preprocessing(ingredients: Ingredients) -> Step:
    """Decodes a picture to the detector's input and to the grey picture that words are cropped from."""
    detector = ingredients.graphs[DETECTION]
    return _step(
        ingredients,
        "detection_preprocessing",
        inputs=ingredients.inputs,
        outputs=(_named("images", detector.inputs[0]), PICTURE),
        documents={"settings.json": {name: ingredients.settings[name] for name in PREPROCESSING}},
    )


def detection(ingredients: Ingredients) -> Step:
    """The detector."""
    graph = ingredients.graphs[DETECTION]
    return _graph_step(ingredients, DETECTION, graph.inputs + maps_of(graph), ("images", "score_map", "geometry"))


def detection_postprocessing(ingredients: Ingredients) -> Step:
    """Converts the detector's maps to boxes, scores and crops of the picture."""
    score_map, geometry = maps_of(ingredients.graphs[DETECTION])
    _, boxes, scores = ingredients.outputs
    return _step(
        ingredients,
        "detection_postprocessing",
        inputs=(_named("score_map", score_map), _named("geometry", geometry), PICTURE),
        outputs=(_named("crops", ingredients.graphs[RECOGNITION].inputs[0]), boxes, scores),
        documents={"settings.json": {name: ingredients.settings[name] for name in POSTPROCESSING}},
    )


def recognition(ingredients: Ingredients) -> Step:
    """The recognizer."""
    graph = ingredients.graphs[RECOGNITION]
    return _graph_step(ingredients, RECOGNITION, graph.inputs + graph.outputs, ("crops", "logits"))


def text_recognition_postprocessing(ingredients: Ingredients) -> Step:
    """Converts the recognizer's frames to words."""
    words, boxes, _ = ingredients.outputs
    return _step(
        ingredients,
        "text_recognition_postprocessing",
        inputs=(_named("logits", ingredients.graphs[RECOGNITION].outputs[0]), boxes),
        outputs=(words,),
        documents={"alphabet.json": id2label(ingredients.labels)},
    )


def _step(
    ingredients: Ingredients,
    component: str,
    *,
    inputs: tuple[TensorSpec, ...],
    outputs: tuple[TensorSpec, ...],
    documents: Mapping[str, object],
) -> Step:
    """A step whose dims are whole shapes."""
    step = step_of(ingredients, component, inputs=inputs, outputs=outputs, documents=documents)
    return replace(step, max_batch_size=0)


def _graph_step(ingredients: Ingredients, name: str, tensors: tuple[TensorSpec, ...], between: tuple[str, ...]) -> Step:
    """The graph with its own tensor names; `between` are their names in the pipeline."""
    stands_for = {tensor.name: ours for tensor, ours in zip(tensors, between, strict=True)}
    return replace(step_of_graph(ingredients, ingredients.graphs[name], name), stands_for=stands_for)


def _named(name: str, tensor: TensorSpec) -> TensorSpec:
    return TensorSpec(name=name, dtype=tensor.dtype, dims=tensor.dims)


def golden(
    graphs: Mapping[str, Graph], settings: Settings, alphabet: tuple[str, ...]
) -> Sequence[tuple[Tensors, Tensors]]:
    """Drawn pictures, and the words that the two graphs read in them, run by ONNX Runtime."""
    from utils.ocr.golden import answers

    return answers(graphs, settings, alphabet)


TASK = GraphTask(
    name="ocr",
    pipeline_tag="image-to-text",
    inputs=(IMAGE,),
    outputs=lambda _settings, _graph: (WORDS, BOXES, SCORES),
    formats=("onnx",),
    layouts={
        "ensemble": (
            detection_preprocessing,
            detection,
            detection_postprocessing,
            recognition,
            text_recognition_postprocessing,
        )
    },
    pipeline=GraphPipeline(
        names=(DETECTION, RECOGNITION),
        between=("images", "picture", "score_map", "geometry", "crops", "logits"),
        settings=lambda options: {**PREPROCESSING, **POSTPROCESSING, **options},
        check=check,
        golden=golden,
    ),
    blank_label=True,
    options=(LONGEST_SIDE, MEANS, SCORE_THRESHOLD),
)

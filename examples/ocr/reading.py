"""Reads the words of an image by any detector and recognizer, step by step as the served components do."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from utils.components import load_shared

picture, boxes, crops, ctc = (load_shared(name) for name in ("picture", "boxes", "crops", "ctc"))

Array = np.ndarray[Any, Any]
Detect = Callable[[Array], tuple[Array, Array]]
Recognize = Callable[[Array], Array]

# What settings.json of the two components holds for these networks; the means are those of NVIDIA's tutorial.
PREPROCESSING = {"longest_side": 640, "most_pixels": 16_000_000, "means": [123.68, 116.78, 103.94]}
POSTPROCESSING = {"score_threshold": 0.8, "overlap_threshold": 0.2, "most_boxes": 200}
CROP = (32, 100)  # height and width


@dataclass(frozen=True, kw_only=True)
class Word:
    """box: FP32 [4, 2], corners from the top left one on, clockwise, as x, y in pixels of the image."""

    text: str
    box: Array
    score: float

    def __str__(self) -> str:
        corners = " ".join(f"({x:.0f}, {y:.0f})" for x, y in self.box)
        return f"{self.text:16} {self.score:.3f}  {corners}"


def read(content: bytes, detect: Detect, recognize: Recognize, alphabet: list[str]) -> list[Word]:
    """The words of an encoded image in reading order.

    detect: FP32 [1, H, W, 3] -> scores [1, H/4, W/4, 1] and geometry [1, H/4, W/4, 5];
    recognize: FP32 [N, 1, 32, 100] -> logits [N, T, len(alphabet)].
    """
    image = picture.read(content, PREPROCESSING["most_pixels"])
    maps = detect(picture.as_input(image, PREPROCESSING["longest_side"], PREPROCESSING["means"]))
    found, scores = boxes.locate(*maps, image.size, **POSTPROCESSING)
    if not len(found):
        return []
    texts = ctc.decode(recognize(crops.crop(picture.as_grey(image), found, *CROP)), alphabet)
    return [Word(text=text, box=box, score=float(score)) for text, box, score in zip(texts, found, scores, strict=True)]


def load(folder: Path) -> Callable[[bytes], list[Word]]:
    """A reader by the graphs that train.py left in `folder`."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    detector, recognizer = (
        onnxruntime.InferenceSession(folder / file, options) for file in ("detection.onnx", "recognition.onnx")
    )
    alphabet = load_alphabet(folder / "alphabet.json")

    def detect(images: Array) -> tuple[Array, Array]:
        scores, geometry = detector.run(None, {detector.get_inputs()[0].name: images})
        return scores, geometry

    def recognize(images: Array) -> Array:
        return recognizer.run(None, {recognizer.get_inputs()[0].name: images})[0]

    return lambda content: read(content, detect, recognize, alphabet)


def load_alphabet(file: Path) -> list[str]:
    """The texts of {"0": "", "1": "0", ...} in the order of their numbers."""
    symbols = json.loads(file.read_text(encoding="utf-8"))
    return [symbols[str(index)] for index in range(len(symbols))]


def count_read(truth: list[dict[str, Any]], found: list[Word]) -> int:
    """How many of the true words, {"word", "box"}, are found in their place and read exactly."""
    places = np.array([word.box for word in found], dtype=np.float64).reshape(-1, 4, 2)
    return sum(
        any(found[index].text == true["word"] for index in np.flatnonzero(boxes.overlaps(box, places) > 0.5))
        for true, box in ((true, np.array(true["box"])) for true in truth)
    )

"""Reads the words of an image with any detector and recognizer, with the same steps as the served components."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from utils.ocr.reading import Detect, Reader, Recognize, Word, boxes
from utils.tasks.ocr import POSTPROCESSING, PREPROCESSING

Array = np.ndarray[Any, Any]

CROP = (32, 100)  # height and width


def read(content: bytes, detect: Detect, recognize: Recognize, alphabet: list[str]) -> list[Word]:
    """Returns the words of an encoded image in reading order, with the default settings of --task ocr."""
    settings = {**PREPROCESSING, **POSTPROCESSING}
    reader = Reader(detect=detect, recognize=recognize, alphabet=tuple(alphabet), settings=settings, size=CROP)
    return reader.read(content)


def load(folder: Path) -> Callable[[bytes], list[Word]]:
    """Returns a reader that uses the graphs written by train.py in `folder`."""
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
        (logits,) = recognizer.run(None, {recognizer.get_inputs()[0].name: images})
        return np.asarray(logits)

    return lambda content: read(content, detect, recognize, alphabet)


def load_alphabet(file: Path) -> list[str]:
    """Returns the texts of {"0": "", "1": "0", ...} in the order of their numbers."""
    symbols = json.loads(file.read_text(encoding="utf-8"))
    return [symbols[str(index)] for index in range(len(symbols))]


def count_read(truth: list[dict[str, Any]], found: list[Word]) -> int:
    """Counts the true words, {"word", "box"}, that are found at their position and read exactly."""
    places = np.array([word.box for word in found], dtype=np.float64).reshape(-1, 4, 2)
    return sum(
        any(found[index].text == true["word"] for index in np.flatnonzero(boxes.overlaps(box, places) > 0.5))
        for true, box in ((true, np.array(true["box"])) for true in truth)
    )

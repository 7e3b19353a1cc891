"""Reads the words of an image by any detector and recognizer, step by step as the served components do."""

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
    """The words of an encoded image in reading order, with the settings that --task ocr has by default."""
    settings = {**PREPROCESSING, **POSTPROCESSING}
    reader = Reader(detect=detect, recognize=recognize, alphabet=tuple(alphabet), settings=settings, size=CROP)
    return reader.read(content)


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

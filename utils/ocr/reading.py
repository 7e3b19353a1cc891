"""Reads the words of a picture with a detector and a recognizer, by the functions of the served components.

tests/components compares each function with an independent reference; this module combines them without a server.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from utils.repository.served_code import load_shared

picture, boxes, crops, ctc = (load_shared(name) for name in ("picture", "boxes", "crops", "ctc"))

Array = np.ndarray[Any, Any]
Detect = Callable[[Array], tuple[Array, Array]]
Recognize = Callable[[Array], Array]


@dataclass(frozen=True, kw_only=True)
class Word:
    """A word. box: FP32 [4, 2], corners as x, y in pixels of the image, clockwise from the top left."""

    text: str
    box: Array
    score: float

    def __str__(self) -> str:
        corners = " ".join(f"({x:.0f}, {y:.0f})" for x, y in self.box)
        return f"{self.text:16} {self.score:.3f}  {corners}"


@dataclass(frozen=True, kw_only=True)
class Reader:
    """Reads pictures. `settings` are those of --task ocr; `size` is the height and width of the recognizer's input.

    detect: FP32 [1, H, W, 3] -> scores [1, H/4, W/4, 1] and geometry [1, H/4, W/4, 5];
    recognize: FP32 [N, 1, height, width] -> logits [N, T, len(alphabet)].
    """

    detect: Detect
    recognize: Recognize
    alphabet: tuple[str, ...]
    settings: Mapping[str, Any]
    size: tuple[int, int]

    def read(self, content: bytes) -> list[Word]:
        """The words of an encoded picture in reading order; ValueError if it is not a picture."""
        settings = self.settings
        image = picture.read(content, settings["most_pixels"])
        maps = self.detect(picture.as_input(image, settings["longest_side"], settings["means"]))
        thresholds = {name: settings[name] for name in ("score_threshold", "overlap_threshold", "most_boxes")}
        found, scores = boxes.locate(*maps, image.size, **thresholds)
        if not len(found):
            return []
        logits = self.recognize(crops.crop(picture.as_grey(image), found, *self.size))
        words = zip(ctc.decode(logits, self.alphabet), found, scores, strict=True)
        return [Word(text=text, box=box, score=float(score)) for text, box, score in words]

"""Golden pictures for a text detector and a recognizer: drawn here, so that their words are known."""

import io
from collections.abc import Mapping, Sequence
from itertools import cycle, islice
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from utils.convert.onnx.exported_graph import onnx_session
from utils.convert.types import Tensors
from utils.host.errors import ExportError
from utils.host.progress import note, warn
from utils.ocr.graphs import DETECTION, RECOGNITION, maps_of
from utils.ocr.reading import Array, Reader, Word
from utils.proof.golden import TensorValue, numbers, texts
from utils.repository.pipeline import Graph

WORDS = ("exit", "gate7", "open24", "harbour", "museum", "station", "room305", "coffee")
# For each picture: format, background, text colour, font size in pixels, and number of lines of two words.
DRAWN = (
    ("PNG", (255, 255, 255), (0, 0, 0), 32, 2),
    ("JPEG", (24, 40, 72), (250, 240, 210), 26, 1),
    ("PNG", (200, 205, 190), (110, 20, 30), 38, 2),
    ("PNG", (90, 120, 90), (0, 0, 0), 32, 0),
)
WIDTH, LINE, MARGIN = 420, 90, 24


def answers(
    graphs: Mapping[str, Graph], settings: Mapping[str, Any], alphabet: tuple[str, ...]
) -> list[tuple[Tensors, Tensors]]:
    """Each picture as BYTES, with its words, boxes and scores. ExportError when a graph's output is invalid."""
    reader = _reader(graphs, settings, alphabet)
    pairs: list[tuple[Tensors, Tensors]] = []
    drawn: list[str] = []
    read: list[str] = []
    for content, words in pictures(alphabet):
        found = reader.read(content)
        pairs.append(({"image": texts([content])}, _served(found)))
        drawn += words
        read += [word.text for word in found]
    exact = sum(word in read for word in drawn)
    note(f"golden pictures: {len(read)} words found, {exact} of {len(drawn)} drawn words read exactly")
    if not read:
        warn("the graphs find no word in the golden pictures, so the proof is weak; try another --score-threshold")
    return pairs


def pictures(alphabet: Sequence[str]) -> list[tuple[bytes, list[str]]]:
    """Encoded pictures, each with its words in reading order; the last has none. They are the same in every build."""
    words = cycle(known_words(alphabet))
    drawn = []
    for kind, ground, ink, size, lines in DRAWN:
        chosen = list(islice(words, 2 * lines))
        image = Image.new("RGB", (WIDTH, LINE * max(lines, 1)), ground)
        for index, word in enumerate(chosen):
            corner = (MARGIN + index % 2 * WIDTH // 2, MARGIN + index // 2 * LINE)
            ImageDraw.Draw(image).text(corner, word, fill=ink, font=ImageFont.load_default(size))
        stream = io.BytesIO()
        image.save(stream, kind)
        drawn.append((stream.getvalue(), chosen))
    return drawn


def known_words(alphabet: Sequence[str]) -> list[str]:
    """WORDS that the alphabet can spell, in lower or upper case; if there are none, its symbols in groups of four."""
    symbols = [symbol for symbol in alphabet[1:] if symbol.strip()]
    forms = ((word, word.upper()) for word in WORDS)
    known = [next((form for form in each if set(form) <= set(symbols)), None) for each in forms]
    return [word for word in known if word] or ["".join(symbols[at : at + 4]) for at in range(0, len(symbols), 4)]


def _reader(graphs: Mapping[str, Graph], settings: Mapping[str, Any], alphabet: tuple[str, ...]) -> Reader:
    detector, recognizer = (onnx_session(graphs[name].path) for name in (DETECTION, RECOGNITION))
    maps = [tensor.name for tensor in maps_of(graphs[DETECTION])]
    (crops,) = graphs[RECOGNITION].inputs

    def detect(images: Array) -> tuple[Array, Array]:
        scores, geometry = detector.run(maps, {detector.get_inputs()[0].name: images})
        quarter = (1, images.shape[1] // 4, images.shape[2] // 4)
        _require(DETECTION, images, scores, (*quarter, 1))
        _require(DETECTION, images, geometry, (*quarter, 5))
        return scores, geometry

    def recognize(images: Array) -> Array:
        (logits,) = recognizer.run(None, {crops.name: images})
        _require(RECOGNITION, images, logits, (len(images), *logits.shape[1:2], len(alphabet)))
        return logits  # type: ignore[no-any-return]

    height, width = crops.dims[-2:]
    return Reader(detect=detect, recognize=recognize, alphabet=alphabet, settings=settings, size=(height, width))


def _require(model: str, images: Array, output: Array, shape: tuple[int, ...]) -> None:
    if output.shape != shape:
        raise ExportError(
            f"the graph for {model} maps input {list(images.shape)} to {list(output.shape)}, and --task ocr needs "
            f"{list(shape)}; export it with that shape, or serve it with --task onnx"
        )
    if not np.isfinite(output).all():
        raise ExportError(f"the output of the graph for {model} on a golden picture is not finite; check its weights")


def _served(found: Sequence[Word]) -> dict[str, TensorValue]:
    boxes = np.array([word.box for word in found], dtype=np.float32).reshape(-1, 4, 2)
    scores = np.array([word.score for word in found], dtype=np.float32)
    return {
        "words": texts([word.text for word in found]),
        "boxes": numbers("FP32", boxes),
        "scores": numbers("FP32", scores),
    }

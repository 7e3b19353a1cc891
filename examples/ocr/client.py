"""Reads the words of an image with a Triton that serves text_detection and text_recognition, or an ensemble of both.

For an ensemble, `Ocr` of clients/python does the same with retries, and without this repository.

`python -m examples.ocr.client IMAGE [--url HOST:PORT] [--ensemble NAME]` prints words, scores and corner points.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

from examples.ocr.reading import load_alphabet, read
from utils.host import entry
from utils.host.errors import FactoryError, SourceError
from utils.ocr.reading import Word

Array = np.ndarray[Any, Any]


def read_by_models(connection: triton.InferenceServerClient, content: bytes, alphabet: list[str]) -> list[Word]:
    """Sends one request to the detector and one to the recognizer. Crops the words on the client."""

    def detect(images: Array) -> tuple[Array, Array]:
        scores, geometry = sorted(_infer(connection, "text_detection", images), key=lambda map_: map_.shape[-1])
        return scores, geometry

    def recognize(crops: Array) -> Array:
        (logits,) = _infer(connection, "text_recognition", crops)
        return logits

    return read(content, detect, recognize, alphabet)


def _infer(connection: triton.InferenceServerClient, model: str, array: Array) -> list[Array]:
    """Returns all outputs of a model with one FP32 input. The input's name comes from the model's metadata."""
    metadata = connection.get_model_metadata(model)
    tensor = triton.InferInput(metadata["inputs"][0]["name"], list(array.shape), "FP32")
    tensor.set_data_from_numpy(np.ascontiguousarray(array))
    answer = connection.infer(model, [tensor])
    return [answer.as_numpy(output["name"]) for output in metadata["outputs"]]


def read_by_ensemble(connection: triton.InferenceServerClient, content: bytes, name: str) -> list[Word]:
    """Sends the file's bytes in one request and returns the words."""
    tensor = triton.InferInput("image", [1], "BYTES")
    tensor.set_data_from_numpy(np.array([content], dtype=np.object_))
    answer = connection.infer(name, [tensor])
    words, boxes, scores = (answer.as_numpy(output) for output in ("words", "boxes", "scores"))
    return [
        Word(text=word.decode("utf-8"), box=box, score=float(score))
        for word, box, score in zip(words, boxes, scores, strict=True)
    ]


def run(argv: Sequence[str]) -> str:
    """Returns one line for each word."""
    parser = entry.Parser(prog="python -m examples.ocr.client", description=__doc__)
    parser.add_argument("image", metavar="IMAGE", type=Path, help="a JPEG or PNG file")
    parser.add_argument("--url", metavar="HOST:PORT", default="127.0.0.1:8000", help="default: %(default)s")
    parser.add_argument("--ensemble", metavar="NAME", help="use this ensemble instead of the two models")
    parser.add_argument(
        "--alphabet", metavar="FILE", type=Path, help="the recognizer's alphabet.json, for the two models"
    )
    arguments = parser.parse_args(argv)
    if not (arguments.ensemble or arguments.alphabet):
        parser.error("--alphabet FILE or --ensemble NAME is required")
    try:
        content = arguments.image.read_bytes()
    except OSError as error:
        raise SourceError(
            f"{str(arguments.image)!r} cannot be read: {error.strerror}; use a JPEG or PNG file"
        ) from error
    try:
        with triton.InferenceServerClient(arguments.url) as connection:
            if arguments.ensemble:
                words = read_by_ensemble(connection, content, arguments.ensemble)
            else:
                words = read_by_models(connection, content, load_alphabet(arguments.alphabet))
    except (InferenceServerException, ConnectionError) as error:
        raise FactoryError(f"the request to {arguments.url} failed: {error}") from error
    return "\n".join(map(str, words)) or "no words found"


if __name__ == "__main__":
    entry.run(lambda: run(sys.argv[1:]))

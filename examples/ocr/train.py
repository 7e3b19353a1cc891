"""Trains a small text detector and a recognizer on drawn words, and writes them as ONNX, with samples of unseen words.

`python -m examples.ocr.train --out FOLDER` writes detection.onnx, recognition.onnx, alphabet.json, samples/.
"""

import json
import multiprocessing
import os
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # read when onnxruntime is imported

import numpy as np
import torch
from PIL import Image
from torch import nn

from examples.ocr import learning, reading
from examples.ocr.words import scene, unseen_word
from utils.host import entry
from utils.host.errors import FactoryError
from utils.host.progress import note, stage

# Names from the frozen graph of NVIDIA's tutorial; its exporter named the recognizer's input.
DETECTION = (("input_images:0",), ("feature_fusion/Conv_7/Sigmoid:0", "feature_fusion/concat_3:0"))
RECOGNITION = (("input.1",), ("logits",))
SAMPLES = 40


@dataclass(frozen=True, kw_only=True)
class Budget:
    """Numbers of drawn scenes and of training batches, and the minimum share of words that are read exactly."""

    scenes: int
    detector_steps: int
    recognizer_steps: int
    min_share: float


FULL = Budget(scenes=1600, detector_steps=450, recognizer_steps=1200, min_share=0.9)
QUICK = Budget(scenes=600, detector_steps=200, recognizer_steps=620, min_share=0.8)


def train(out: Path, budget: Budget, opset: int) -> float:
    """Writes all files; returns the share of unseen words that are read exactly. FactoryError if it is too low."""
    prepare(out)
    with stage("train a detector and a recognizer"), multiprocessing.get_context("spawn").Pool(2) as pool:
        for done in [pool.apply_async(learn, (out, budget, opset)) for learn in (detection, recognition)]:
            done.get()
    with stage("read unseen words"):
        share = measure(out)
    note(f"{share:.1%} of the words read exactly")
    if share < budget.min_share:
        raise FactoryError(
            f"only {share:.1%} of the unseen words are read exactly; at least {budget.min_share:.0%} are required"
        )
    return share


def prepare(out: Path) -> None:
    """Writes alphabet.json and samples/."""
    (out / "samples").mkdir(parents=True, exist_ok=True)
    symbols = {str(index): symbol for index, symbol in enumerate(learning.SYMBOLS)}
    (out / "alphabet.json").write_text(json.dumps(symbols, indent=2) + "\n", encoding="utf-8")
    save_samples(out / "samples")


def detection(out: Path, budget: Budget, opset: int) -> None:
    """Trains and writes detection.onnx."""
    network = learning.train_detector(learning.draw(1, budget.scenes), steps=budget.detector_steps)
    export_detector(network, out, opset=opset)


def export_detector(network: nn.Module, out: Path, *, opset: int) -> None:
    """Writes detection.onnx."""
    sides = {0: "batch", 1: "height", 2: "width"}
    export(network, (1, 64, 64, 3), out / "detection.onnx", names=DETECTION, sides=sides, opset=opset)


def recognition(out: Path, budget: Budget, opset: int) -> None:
    """Trains and writes recognition.onnx."""
    network = learning.train_recognizer(learning.draw(2, budget.scenes), steps=budget.recognizer_steps)
    export_recognizer(network, out, opset=opset)


def export_recognizer(network: nn.Module, out: Path, *, opset: int) -> None:
    """Writes recognition.onnx."""
    export(network, (1, 1, *reading.CROP), out / "recognition.onnx", names=RECOGNITION, sides={0: "batch"}, opset=opset)


def export(
    network: nn.Module,
    shape: tuple[int, ...],
    file: Path,
    *,
    names: tuple[Sequence[str], Sequence[str]],
    sides: dict[int, str],
    opset: int,
) -> None:
    """Exports to ONNX with these input and output names. The dimensions in `sides` are dynamic."""
    inputs, outputs = names
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch deprecates this exporter, but the newer one starts at opset 18
        torch.onnx.export(
            network,
            (torch.zeros(shape),),
            str(file),
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_axes=dict.fromkeys((*inputs, *outputs), sides),
            opset_version=opset,
            dynamo=False,
        )


def save_samples(folder: Path) -> None:
    """Writes images of unseen words, alternating PNG and JPEG, each with a JSON file of its words and boxes."""
    random = np.random.default_rng(0)
    for number in range(SAMPLES):
        sample = scene(random, unseen_word, width=480, height=320, most_words=6)
        file = folder / f"sample{number:02}.{('png', 'jpg')[number % 2]}"
        Image.fromarray(sample.picture).save(file, quality=90)
        truth = [{"word": word, "box": box.tolist()} for word, box in zip(sample.words, sample.boxes, strict=True)]
        file.with_suffix(".json").write_text(json.dumps(truth, indent=2) + "\n", encoding="utf-8")


def measure(out: Path) -> float:
    """Returns the share of words in the samples that the two graphs find and read exactly."""
    read = reading.load(out)
    right = total = 0
    for file in sorted((out / "samples").glob("*.json")):
        truth = json.loads(file.read_text(encoding="utf-8"))
        (image,) = (path for path in file.parent.glob(f"{file.stem}.*") if path != file)
        right += reading.count_read(truth, read(image.read_bytes()))
        total += len(truth)
    return right / total


def run(argv: Sequence[str]) -> str:
    """Trains the networks and returns the output folder."""
    parser = entry.Parser(prog="python -m examples.ocr.train", description=__doc__)
    parser.add_argument("--out", metavar="FOLDER", type=Path, required=True)
    parser.add_argument("--quick", action="store_true", help="train for a third of the time, with lower accuracy")
    parser.add_argument("--opset", type=int, default=17, help="ONNX opset of the graphs (default: %(default)s)")
    arguments = parser.parse_args(argv)
    train(arguments.out, QUICK if arguments.quick else FULL, arguments.opset)
    return str(arguments.out)


if __name__ == "__main__":
    entry.run(lambda: run(sys.argv[1:]))

"""`python -m tests.trained_ocr.load FOLDER` writes what examples.ocr.train does, with the weights of weights.npz.

`python -m tests.trained_ocr.load` trains for these weights. The same machine gives the same; another may give others.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

from examples.ocr import learning, train
from examples.ocr.networks import Detector, Recognizer

WEIGHTS = Path(__file__).with_name("weights.npz")


def store() -> None:
    """Trains with the budget of --quick; weights are stored as FP16."""
    budget = train.QUICK
    networks: dict[str, nn.Module] = {
        "detector": learning.train_detector(learning.draw(1, budget.scenes), steps=budget.detector_steps),
        "recognizer": learning.train_recognizer(learning.draw(2, budget.scenes), steps=budget.recognizer_steps),
    }
    stored = {
        f"{network}/{name}": tensor.half().numpy() if tensor.is_floating_point() else tensor.numpy()
        for network, module in networks.items()
        for name, tensor in module.state_dict().items()
    }
    np.savez_compressed(WEIGHTS, **stored)


def load(network: nn.Module, name: str) -> nn.Module:
    """`network` with the stored weights of `name`, in evaluation mode."""
    with np.load(WEIGHTS) as stored:
        own = {key.removeprefix(f"{name}/"): stored[key] for key in stored.files if key.startswith(f"{name}/")}
    state = {key: torch.from_numpy(value.astype(np.float32) if value.dtype == np.float16 else value)
             for key, value in own.items()}  # fmt: skip
    network.load_state_dict(state)
    return network.eval()


def write(out: Path) -> None:
    """Writes the files of train.train() to `out`."""
    train.prepare(out)
    train.export_detector(load(Detector(), "detector"), out, opset=17)
    train.export_recognizer(load(Recognizer(len(learning.SYMBOLS)), "recognizer"), out, opset=17)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        write(Path(sys.argv[1]))
    else:
        store()

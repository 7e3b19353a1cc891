"""Trains the two networks on drawn scenes, each on one core. The same budget gives the same weights."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from examples.ocr.networks import Detector, Recognizer
from examples.ocr.reading import CROP
from examples.ocr.words import ALPHABET, Scene, scene, training_word
from utils.ocr.reading import boxes, crops
from utils.tasks.ocr import PREPROCESSING

SHRUNK = 0.25  # of a word's height: a margin along the sides that counts neither as text nor as background
SYMBOLS = ("", *ALPHABET)  # the blank first
SIDE = 256  # pixels of a scene

Array = np.ndarray[Any, Any]


def draw(seed: int, count: int) -> list[Scene]:
    """Returns scenes of one size with random words."""
    random = np.random.default_rng(seed)
    return [scene(random, training_word, width=SIDE, height=SIDE, most_words=6) for _ in range(count)]


def train_detector(scenes: Sequence[Scene], *, steps: int, batch: int = 8, rate: float = 4e-3) -> Detector:
    """Trains the detector."""
    torch.manual_seed(0)
    network = Detector()
    pictures = torch.from_numpy(np.stack([drawn.picture for drawn in scenes]))
    maps = torch.from_numpy(np.stack([targets(drawn) for drawn in scenes]))
    means = torch.tensor(PREPROCESSING["means"])

    def loss(rows: Tensor) -> Tensor:
        scores, geometry = network(pictures[rows].float() - means)
        return detector_loss(scores[..., 0], geometry, maps[rows])

    _fit(network, loss, count=len(scenes), steps=steps, batch=batch, rate=rate)
    return network


def targets(drawn: Scene) -> Array:
    """FP32 [H/4, W/4, 6]: 1 text, 0 background, -1 margin; the four distances in pixels and the angle in radians."""
    height, width = (side // boxes.STRIDE for side in drawn.picture.shape[:2])
    maps = np.zeros((height, width, 6), dtype=np.float32)
    places = boxes.STRIDE * np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=2)
    for top_left, top_right, _, bottom_left in drawn.boxes:
        size = np.array([np.linalg.norm(top_right - top_left), np.linalg.norm(bottom_left - top_left)])
        axes = np.stack([top_right - top_left, bottom_left - top_left]) / size[:, None]
        left, top = np.moveaxis((places - top_left) @ axes.T, 2, 0)
        distances = np.stack([top, size[0] - left, size[1] - top, left], axis=2)
        nearest = distances.min(axis=2)
        inside = nearest > 0
        maps[inside, 0] = np.where(nearest > SHRUNK * size[1], 1, -1)[inside]
        maps[inside, 1:5] = distances[inside]
        maps[inside, 5] = np.arctan2(-axes[0, 1], axes[0, 0])
    return maps


def detector_loss(scores: Tensor, geometry: Tensor, target: Tensor) -> Tensor:
    """The loss of EAST: scores (balanced by the dice coefficient), overlap of the boxes, and angle."""
    text, counted = target[..., 0] == 1, target[..., 0] >= 0
    found, truth = scores[counted], text[counted].float()
    dice = 1 - 2 * (found * truth).sum() / (found.sum() + truth.sum() + 1)
    entropy = nn.functional.binary_cross_entropy(found, truth)
    ours, theirs = geometry[text], target[..., 1:][text]
    top, right, bottom, left = torch.minimum(ours[:, :4], theirs[:, :4]).T
    shared = (top + bottom) * (right + left)
    overlap = (shared + 1) / (_area(ours) + _area(theirs) - shared + 1)
    # The overlap alone does not locate the short sides of long words precisely.
    near = ((ours[:, :4] + 1).log() - (theirs[:, :4] + 1).log()).abs().mean(dim=1)
    turned = 1 - torch.cos(ours[:, 4] - theirs[:, 4])
    place: Tensor = (near - overlap.log() + 20 * turned).sum() / max(len(ours), 1)
    return dice + entropy + place


def _area(geometry: Tensor) -> Tensor:
    return (geometry[:, 0] + geometry[:, 2]) * (geometry[:, 1] + geometry[:, 3])


def train_recognizer(scenes: Sequence[Scene], *, steps: int, batch: int = 48, rate: float = 3e-3) -> Recognizer:
    """Trains the recognizer on words in inexact boxes, as a detector returns them."""
    torch.manual_seed(0)
    network = Recognizer(len(SYMBOLS))
    images, texts = loose_crops(scenes)
    labels = [torch.tensor([SYMBOLS.index(letter) for letter in text]) for text in texts]
    lengths = torch.tensor([len(label) for label in labels])

    def loss(rows: Tensor) -> Tensor:
        frames = network(varied(images[rows])).log_softmax(2).transpose(0, 1)
        target = torch.cat([labels[row] for row in rows])
        return nn.functional.ctc_loss(
            frames, target, torch.full((len(rows),), len(frames)), lengths[rows], zero_infinity=True
        )

    _fit(network, loss, count=len(texts), steps=steps, batch=batch, rate=rate)
    return network


def loose_crops(scenes: Sequence[Scene], copies: int = 2) -> tuple[Tensor, list[str]]:
    """Returns FP32 [N, 1, 32, 100] and the words in them, cropped by the serving code."""
    random = np.random.default_rng(0)
    images: list[Array] = []
    texts: list[str] = []
    for drawn in scenes:
        grey = (drawn.picture @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)
        for _ in range(copies):
            height = np.linalg.norm(drawn.boxes[:, 3] - drawn.boxes[:, 0], axis=1)[:, None, None]
            off = random.uniform(-0.09, 0.09, drawn.boxes.shape) * height
            images.append(crops.crop(grey, drawn.boxes + off, *CROP))
            texts.extend(drawn.words)
    return torch.from_numpy(np.concatenate(images)), texts


def varied(images: Tensor) -> Tensor:
    """Augments crops: inverts, changes the contrast and adds noise."""
    rows = (len(images), 1, 1, 1)
    sign = torch.randint(0, 2, rows) * 2 - 1
    shade = images * sign * (0.6 + 0.6 * torch.rand(rows)) + 0.4 * (torch.rand(rows) - 0.5)
    return (shade + 0.05 * torch.rand(rows) * torch.randn(images.shape)).clamp(-1, 1)


def _fit(
    network: nn.Module, loss: Callable[[Tensor], Tensor], *, count: int, steps: int, batch: int, rate: float
) -> None:
    # One thread per network: threads wait for each other at every layer, which is slow on busy cores.
    torch.set_num_threads(1)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # not in torch's own types
    network.train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps, pct_start=0.2)
    rows = _shuffled(count, batch)
    for _ in range(steps):
        optimizer.zero_grad()
        torch.autograd.backward(loss(next(rows)))
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        schedule.step()
    network.eval()


def _shuffled(count: int, batch: int) -> Iterator[Tensor]:
    """Yields batches of row numbers without end. Every epoch contains each row once."""
    while True:
        yield from torch.split(torch.randperm(count), batch)

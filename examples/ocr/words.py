"""Images of words, drawn by Pillow with its default font. The same seed gives the same images."""

import string
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

ALPHABET = string.digits + string.ascii_lowercase
# Never drawn for training.
UNSEEN = tuple((Path(__file__).parent / "unseen_words.txt").read_text(encoding="utf-8").split())
SIZES = (18, 40)  # pixels of a font
MOST_TILT = 8.0  # degrees

Array = np.ndarray[Any, Any]
Choose = Callable[[np.random.Generator], str]


@dataclass(frozen=True, kw_only=True)
class Scene:
    """picture: UINT8 [H, W, 3], RGB; boxes: [K, 4, 2], x and y in pixels, clockwise from the top left corner."""

    picture: Array
    boxes: Array
    words: tuple[str, ...]


def unseen_word(random: np.random.Generator) -> str:
    """Returns a word of UNSEEN."""
    return str(random.choice(UNSEEN))


def training_word(random: np.random.Generator) -> str:
    """Returns three to eight random letters and digits that are not in UNSEEN."""
    while True:
        word = "".join(random.choice(list(ALPHABET), random.integers(3, 9)))
        if word not in UNSEEN:
            return word


def scene(random: np.random.Generator, choose: Choose, *, width: int, height: int, most_words: int) -> Scene:
    """Draws up to `most_words` words with random position, size, tilt and contrast on a plain or shaded background."""
    ground = random.integers(0, 256, 3)
    canvas = Image.fromarray(_ground(random, ground, width, height))
    boxes: list[Array] = []
    words: list[str] = []
    taken = Image.new("1", (width, height))
    for _ in range(4 * most_words):
        if len(words) == most_words:
            break
        word = choose(random)
        mask, corners = _word_mask(random, word)
        room = np.array([width - mask.width, height - mask.height])
        if (room < 0).any():
            continue
        x, y = (int(place) for place in random.integers(0, room + 1))
        area = (x, y, x + mask.width, y + mask.height)
        if taken.crop(area).getbbox():
            continue
        taken.paste(1, area)
        canvas.paste(_ink(random, ground), (x, y), mask)
        boxes.append(corners + np.array([x, y]))
        words.append(word)
    picture = _blurred_or_noisy(random, canvas)
    return Scene(picture=picture, boxes=np.array(boxes).reshape(-1, 4, 2), words=tuple(words))


def _ground(random: np.random.Generator, colour: Array, width: int, height: int) -> Array:
    slope = random.uniform(-20, 20, 2) * (random.random() < 0.5)
    shade = np.linspace(0, slope[0], width)[None, :] + np.linspace(0, slope[1], height)[:, None]
    ground: Array = np.clip(colour + shade[..., None], 0, 255).astype(np.uint8)
    return ground


def _ink(random: np.random.Generator, ground: Array) -> tuple[int, ...]:
    """Returns a colour whose luma differs from the background by at least 80 of 255."""
    luma = np.array([0.299, 0.587, 0.114])
    while True:
        colour = random.integers(0, 256, 3)
        if abs(luma @ (colour - ground)) >= 80:
            return tuple(int(part) for part in colour)


@lru_cache(maxsize=64)
def _font(size: int) -> Any:
    return ImageFont.load_default(size)


def _word_mask(random: np.random.Generator, word: str) -> tuple[Image.Image, Array]:
    """Returns the word's mask (ink per pixel, with a margin) and the word's corners in it."""
    points = int(random.integers(SIZES[0], SIZES[1] + 1))
    font = _font(points)
    stroke = int(points >= 28 and random.random() < 0.4)  # bold only if the letters stay open
    left, top, right, bottom = font.getbbox(word, stroke_width=stroke)
    margin = (bottom - top) * 0.12 + 1
    size = np.array([right - left, bottom - top]) + 2 * margin
    tilt = random.uniform(-MOST_TILT, MOST_TILT) * (random.random() < 0.4)
    turned = np.radians(tilt)
    axes = np.array([[np.cos(turned), -np.sin(turned)], [np.sin(turned), np.cos(turned)]])
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * size / 2 @ axes
    whole = np.ceil(np.abs(corners).max(axis=0) * 2).astype(int) + 4
    mask = Image.new("L", (int(whole[0]), int(whole[1])))
    middle = whole / 2
    start = middle - size / 2 + margin
    ImageDraw.Draw(mask).text((start[0] - left, start[1] - top), word, fill=255, font=font, stroke_width=stroke)
    return mask.rotate(tilt, Image.Resampling.BICUBIC), corners + middle


def _blurred_or_noisy(random: np.random.Generator, canvas: Image.Image) -> Array:
    if random.random() < 0.3:
        canvas = canvas.filter(ImageFilter.GaussianBlur(random.uniform(0.3, 0.8)))
    picture = np.asarray(canvas)
    if random.random() < 0.3:
        noise = random.normal(0, random.uniform(1, 6), picture.shape)
        picture = np.clip(picture + noise, 0, 255).astype(np.uint8)
    return picture

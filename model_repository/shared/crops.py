"""Boxes of a picture as the recognizer's input, over numpy arrays."""

import numpy as np

MAX_SAMPLES = 8  # per pixel and direction, when a large box is reduced


def crop(picture: np.ndarray, boxes: np.ndarray, height: int, width: int) -> np.ndarray:
    """Each box rotated to horizontal and resized to height x width: FP32 [N, 1, height, width] in [-1, 1].

    picture: UINT8 [H, W], grey; boxes: [N, 4, 2] in its pixels. Outside the picture its edge is repeated.
    """
    crops = np.empty((len(boxes), 1, height, width), dtype=np.float32)
    for index, box in enumerate(boxes):
        crops[index, 0] = _level(picture, box, height, width) / 127.5 - 1
    return crops


def _level(picture: np.ndarray, box: np.ndarray, height: int, width: int) -> np.ndarray:
    top_left, top_right, _, bottom_left = box
    # A pixel of the crop that covers several of the picture is their mean.
    fine = [
        int(np.clip(np.ceil(np.linalg.norm(side - top_left) / length), 1, MAX_SAMPLES))
        for side, length in ((bottom_left, height), (top_right, width))
    ]
    v = ((np.arange(height * fine[0]) + 0.5) / (height * fine[0]))[:, None, None]
    u = ((np.arange(width * fine[1]) + 0.5) / (width * fine[1]))[None, :, None]
    # Corners lie between pixels, and a pixel's value is that of its centre.
    places = top_left + u * (top_right - top_left) + v * (bottom_left - top_left) - 0.5
    return np.asarray(_sample(picture, places).reshape(height, fine[0], width, fine[1]).mean(axis=(1, 3)))


def _sample(picture: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Bilinear: [..., 2] as x, y -> [...]."""
    last = np.array(picture.shape[::-1]) - 1
    places = np.clip(places, 0, last)
    low = np.floor(places).astype(np.intp)
    high = np.minimum(low + 1, last)
    right, down = np.moveaxis(places - low, -1, 0)
    upper = picture[low[..., 1], low[..., 0]] * (1 - right) + picture[low[..., 1], high[..., 0]] * right
    lower = picture[high[..., 1], low[..., 0]] * (1 - right) + picture[high[..., 1], high[..., 0]] * right
    return np.asarray(upper * (1 - down) + lower * down)

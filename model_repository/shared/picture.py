"""Encoded images to the detector's input, with Pillow."""

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageOps

FORMATS = ("JPEG", "PNG")
GRID = 32  # the detector halves its input five times


def read(content: bytes, max_pixels: int) -> Image.Image:
    """The image in the bytes `content` in RGB, rotated as its EXIF orientation says.

    Raises ValueError if it is no JPEG or PNG, is truncated or broken, or has more than `max_pixels` pixels. The size is
    checked in the header first, because a small file can contain a picture that fills the memory.
    """
    try:
        image = Image.open(io.BytesIO(content), formats=FORMATS)
        width, height = image.size
        if width * height > max_pixels:
            raise Image.DecompressionBombError
        image.load()
        return ImageOps.exif_transpose(image).convert("RGB")
    except Image.DecompressionBombError as error:
        raise ValueError(f"the image has more than {max_pixels} pixels; send a smaller one") from error
    except Exception as error:  # the decoders document no set of exceptions for broken files
        raise ValueError(f"no readable image in these {len(content)} bytes; send a whole JPEG or PNG file") from error


def as_input(image: Image.Image, longest_side: int, means: Sequence[float]) -> np.ndarray:
    """FP32 [1, H, W, 3]: resized so that both sides are multiples of 32, at most `longest_side`; `means` subtracted."""
    scale = min(1, longest_side / max(image.size))
    most = longest_side // GRID
    width, height = (GRID * int(np.clip(round(side * scale / GRID), 1, most)) for side in image.size)
    resized = np.asarray(image.resize((width, height), Image.Resampling.BILINEAR), dtype=np.float32)
    return np.asarray((resized - np.array(means, dtype=np.float32))[None])


def as_grey(image: Image.Image) -> np.ndarray:
    """UINT8 [H, W], with the luma weights of ITU-R 601."""
    return np.asarray(image.convert("L"))

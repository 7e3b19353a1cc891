import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from utils.repository.served_code import load_shared

picture = load_shared("picture")

MEANS = [123.68, 116.78, 103.94]
NOISE = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)


def encoded(image, kind="PNG", **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def huge_png(width, height):
    """A PNG of a few bytes whose header promises a large picture."""

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "P", "CMYK", "1", "I;16"])
def test_all_modes_become_rgb(mode):
    kind = "JPEG" if mode == "CMYK" else "PNG"
    source = Image.new("I;16", (60, 40)) if mode == "I;16" else Image.fromarray(NOISE).convert(mode)
    image = picture.read(encoded(source, kind), 10_000)
    assert (image.mode, image.size) == ("RGB", (60, 40))


def test_a_png_comes_back_exactly():
    np.testing.assert_array_equal(np.asarray(picture.read(encoded(Image.fromarray(NOISE)), 2400)), NOISE)


def test_a_photo_is_turned_upright():
    exif = Image.Exif()
    exif[0x0112] = 6  # to be seen after a quarter turn clockwise
    turned = picture.read(encoded(Image.fromarray(NOISE), exif=exif), 10_000)
    np.testing.assert_array_equal(np.asarray(turned), np.rot90(NOISE, -1))


@pytest.mark.parametrize(
    "content", [b"", b"text", encoded(Image.fromarray(NOISE), "GIF"), b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n"]
)
def test_invalid_images_are_refused(content):
    with pytest.raises(ValueError, match="no readable image in these"):
        picture.read(content, 10_000)


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_truncated_images_are_refused(kind):
    content = encoded(Image.fromarray(NOISE), kind)
    for length in range(0, len(content) - 20, 97):
        with pytest.raises(ValueError, match=f"no readable image in these {length} bytes"):
            picture.read(content[:length], 10_000)


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_damaged_images_are_read_or_refused(kind):
    random = np.random.default_rng(0)
    content = encoded(Image.fromarray(NOISE), kind)
    for _ in range(300):
        damaged = np.frombuffer(content, np.uint8).copy()
        damaged[random.integers(0, min(len(content), 700), 3)] = random.integers(0, 256, 3)
        try:
            assert picture.read(damaged.tobytes(), 10_000).mode == "RGB"
        except ValueError as refusal:
            assert "no readable image" in str(refusal) or "more than 10000 pixels" in str(refusal)


@pytest.mark.parametrize("side", [41, 20_000, 60_000])
def test_too_large_pictures_are_refused_by_their_header(side):
    with pytest.raises(ValueError, match="more than 1600 pixels"):
        picture.read(huge_png(side, side), 1600)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((640, 480), (640, 480)),
        ((100, 50), (96, 64)),
        ((1, 1), (32, 32)),
        ((4000, 3000), (640, 480)),
        ((30, 9000), (32, 640)),
    ],
)
def test_sides_become_multiples_of_32_below_the_limit(size, expected):
    images = picture.as_input(Image.new("RGB", size, (130, 120, 110)), 640, MEANS)
    assert (images.shape, images.dtype) == ((1, expected[1], expected[0], 3), np.float32)
    np.testing.assert_allclose(images[0, 0, 0], np.array([130, 120, 110]) - MEANS, rtol=1e-5)


def test_a_limit_between_multiples_is_respected():
    assert picture.as_input(Image.new("RGB", (900, 900)), 650, MEANS).shape == (1, 640, 640, 3)


def test_grey_is_luma():
    grey = picture.as_grey(Image.new("RGB", (3, 2), (10, 200, 60)))
    assert (grey.shape, grey.dtype) == ((2, 3), np.uint8)
    assert abs(int(grey[0, 0]) - (0.299 * 10 + 0.587 * 200 + 0.114 * 60)) <= 1

import numpy as np
import pytest

from utils.repository.served_code import load_shared

crops = load_shared("crops")


def level(left, top, right, bottom):
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], dtype=float)


def ramp(height=40, width=60):
    """A picture whose grey is 2 x + y."""
    return (2 * np.arange(width)[None, :] + np.arange(height)[:, None]).astype(np.uint8)


def grey(crop):
    return (crop + 1) * 127.5


def test_a_box_of_the_crops_size_is_copied():
    picture = np.random.default_rng(0).integers(0, 256, (20, 30), dtype=np.uint8)
    (found,) = crops.crop(picture, level(5, 3, 15, 11)[None], 8, 10)
    assert (found.shape, found.dtype) == ((1, 8, 10), np.float32)
    np.testing.assert_allclose(grey(found[0]), picture[3:11, 5:15], atol=1e-3)


@pytest.mark.parametrize("turns", range(4))
def test_a_turned_box_is_read_from_its_own_top_left(turns):
    picture = np.random.default_rng(0).integers(0, 256, (20, 20), dtype=np.uint8)
    box = np.roll(level(4, 6, 12, 14), -turns, axis=0)
    ((found,),) = crops.crop(picture, box[None], 8, 8)
    np.testing.assert_allclose(grey(found), np.rot90(picture[6:14, 4:12], turns), atol=1e-3)


def test_a_slanted_box_on_a_ramp():
    along, down = np.array([0.96, -0.28]), np.array([0.28, 0.96])
    start = np.array([10.0, 20.0])
    box = start + np.array([0 * along, 20 * along, 20 * along + 10 * down, 10 * down])
    ((found,),) = crops.crop(ramp(), box[None], 10, 20)
    places = start + (np.arange(20) + 0.5)[None, :, None] * along + (np.arange(10) + 0.5)[:, None, None] * down - 0.5
    np.testing.assert_allclose(grey(found), places @ [2, 1], atol=1e-3)


def test_a_large_box_is_averaged():
    stripes = np.zeros((64, 200), np.uint8)
    stripes[:, ::2] = 200
    ((found,),) = crops.crop(stripes, level(0, 0, 200, 64)[None], 32, 100)
    np.testing.assert_allclose(grey(found), 100, atol=1e-3)


def test_the_edge_is_repeated_outside_the_picture():
    ((found,),) = crops.crop(np.full((10, 10), 70, np.uint8), level(-5, -5, 25, 15)[None], 32, 100)
    np.testing.assert_allclose(grey(found), 70, atol=1e-3)


def test_no_box_no_crop():
    assert crops.crop(ramp(), np.zeros((0, 4, 2)), 32, 100).shape == (0, 1, 32, 100)

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from utils.repository.served_code import load_shared

boxes = load_shared("boxes")

ANGLES = st.floats(-np.pi / 4, np.pi / 4)


def rectangle(centre, width, height, angle):
    """Corners clockwise from the top left one; `angle` counter-clockwise as seen, in radians."""
    along = np.array([np.cos(angle), -np.sin(angle)]) * width / 2
    down = np.array([np.sin(angle), np.cos(angle)]) * height / 2
    return np.array(centre) + np.array([-along - down, along - down, along + down, -along + down])


def maps_of(*rectangles, shape=(48, 64)):
    """A perfect detector's scores and geometry for rectangles (centre, width, height, angle)."""
    scores, geometry = np.zeros((1, *shape, 1), np.float32), np.zeros((1, *shape, 5), np.float32)
    for centre, width, height, angle in rectangles:
        for row, column in np.ndindex(*shape):
            x, y = np.array([4 * column, 4 * row]) - centre
            u, v = x * np.cos(angle) - y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle)
            distances = [height / 2 + v, width / 2 - u, height / 2 - v, width / 2 + u]
            if min(distances) > 0:
                scores[0, row, column], geometry[0, row, column] = 0.9, [*distances, angle]
    return scores, geometry


def locate(scores, geometry, size=(256, 192), most_boxes=50):
    return boxes.locate(scores, geometry, size, score_threshold=0.5, overlap_threshold=0.2, most_boxes=most_boxes)


@settings(max_examples=40, deadline=None)
@given(st.tuples(st.floats(90, 160), st.floats(80, 110)), st.floats(12, 150), st.floats(12, 60), ANGLES)
def test_a_rotated_box_is_decoded_from_its_maps(centre, width, height, angle):
    found, scores = locate(*maps_of((centre, width, height, angle)))
    np.testing.assert_allclose(found, [rectangle(centre, width, height, angle)], atol=0.01)
    np.testing.assert_allclose(scores, [0.9], rtol=1e-6)
    assert (found.dtype, scores.dtype) == (np.float32, np.float32)


def test_boxes_are_in_pixels_and_in_reading_order():
    below, left, right = ((60, 150), 50, 16, 0.1), ((40, 42), 40, 20, 0.0), ((150, 38), 60, 20, -0.1)
    found, _ = locate(*maps_of(below, right, left), size=(512, 96))
    expected = [rectangle(*box) * [2, 0.5] for box in (left, right, below)]
    np.testing.assert_allclose(found, expected, atol=0.02)


def test_no_place_no_box():
    scores, geometry = maps_of()
    found, found_scores = locate(scores, geometry)
    assert (found.shape, found_scores.shape) == ((0, 4, 2), (0,))


def test_a_box_without_extent_is_none():
    scores, geometry = maps_of()
    scores[0, 3, 3] = 1
    geometry[0, 3, 3, :4] = [2, 5, -3, 5]
    assert len(locate(scores, geometry)[0]) == 0


def test_the_number_of_boxes_is_bounded_and_the_best_ones_stay():
    grid = [((x, y), 12, 12, 0.0) for x, y in itertools.product(range(20, 240, 40), range(20, 180, 40))]
    scores, geometry = maps_of(*grid)
    scores[:, :20] *= 0.8
    found, found_scores = locate(scores, geometry, most_boxes=5)
    np.testing.assert_allclose(found_scores, [0.9] * 5, rtol=1e-6)
    assert (found[:, :, 1] > 76).all()


@settings(max_examples=200, deadline=None)
@given(st.tuples(*[st.floats(5, 60)] * 4), st.tuples(*[st.floats(0, 50)] * 4))
def test_overlap_of_level_boxes_is_that_of_their_spans(sizes, places):
    (width, height, other_width, other_height), (x, y, other_x, other_y) = sizes, places
    box = rectangle((x, y), width, height, 0)
    other = rectangle((other_x, other_y), other_width, other_height, 0)
    sides = [max(0, min(box[2, axis], other[2, axis]) - max(box[0, axis], other[0, axis])) for axis in (0, 1)]
    shared = sides[0] * sides[1]
    expected = shared / (width * height + other_width * other_height - shared)
    np.testing.assert_allclose(boxes.overlaps(box, other[None]), [expected], atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(20, 44), st.floats(20, 44), st.floats(8, 40), st.floats(8, 40), ANGLES),
        min_size=2,
        max_size=4,
    )
)
def test_overlap_of_rotated_boxes_equals_counted_points(drawn):
    quads = np.array([rectangle((x, y), width, height, angle) for x, y, width, height, angle in drawn])
    grid = np.stack(np.meshgrid(*[np.arange(-10, 74, 0.25)] * 2), axis=-1)
    edges = np.roll(quads, -1, axis=1) - quads
    offsets = grid[:, :, None, None] - quads
    inside = (edges[..., 0] * offsets[..., 1] - edges[..., 1] * offsets[..., 0] >= 0).all(axis=-1)
    counted = [
        (inside[..., 0] & inside[..., k]).sum() / (inside[..., 0] | inside[..., k]).sum() for k in range(len(quads))
    ]
    np.testing.assert_allclose(boxes.overlaps(quads[0], quads), counted, atol=0.05)
    np.testing.assert_allclose(boxes.overlaps(quads[0], quads)[0], 1)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(0, 80), st.floats(0, 80), st.floats(8, 40), st.floats(8, 40), ANGLES, st.floats(0.1, 1)),
        max_size=12,
    ),
    st.floats(0.05, 0.6),
)
def test_suppression_by_its_definition(drawn, threshold):
    quads = np.array([rectangle((x, y), *rest) for x, y, *rest, _ in drawn]).reshape(-1, 4, 2)
    scores = np.array([score for *_, score in drawn])
    _, kept_scores = boxes.suppress(quads, scores, threshold, 100)
    alive, expected = sorted(range(len(quads)), key=lambda index: -scores[index]), []
    while alive:
        best = alive[0]
        expected.append(scores[best])
        alive = [k for k in alive[1:] if boxes.overlaps(quads[best], quads[[k]])[0] <= threshold]
    np.testing.assert_array_equal(kept_scores, expected)


def test_replaced_boxes_are_averaged_by_score():
    pair = np.array([rectangle((50, 50), 40, 20, 0), rectangle((54, 50), 40, 20, 0), rectangle((200, 50), 40, 20, 0)])
    kept, scores = boxes.suppress(pair, np.array([0.25, 0.75, 0.5]), 0.2, 10)
    np.testing.assert_allclose(kept, [rectangle((53, 50), 40, 20, 0), pair[2]])
    np.testing.assert_array_equal(scores, [0.75, 0.5])


@pytest.mark.parametrize("angle", [-0.15, 0, 0.15])
def test_reading_order_is_line_by_line(angle):
    page = [
        rectangle((60 + 100 * column, 40 + 50 * row + 8 * (column % 2)), 60, 24, angle)
        for row in range(3)
        for column in range(3)
    ]
    shuffled = np.random.default_rng(0).permutation(9)
    assert shuffled[boxes.reading_order(np.array(page)[shuffled])].tolist() == list(range(9))

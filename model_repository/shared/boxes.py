"""EAST's maps to boxes: decoding, non-maximum suppression and reading order, over numpy arrays.

A box is a quadrilateral [4, 2]: top left, top right, bottom right, bottom left as its text reads; x right, y down.
"""

import numpy as np

STRIDE = 4  # EAST's maps have a quarter of the input's sides (Zhou et al., 2017, figure 3)
TOUCHING = 1e-6


def locate(
    scores: np.ndarray,
    geometry: np.ndarray,
    size: tuple[int, ...],
    *,
    score_threshold: float,
    overlap_threshold: float,
    most_boxes: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Boxes FP32 [N, 4, 2] in pixels of the picture of `size` (width, height), in reading order; their scores FP32 [N].

    scores: FP32 [1, H, W, 1]; geometry: FP32 [1, H, W, 5], the detector's maps of the resized picture.
    """
    boxes, place_scores = decode(scores[0, :, :, 0], geometry[0], score_threshold)
    boxes, box_scores = suppress(boxes, place_scores, overlap_threshold, most_boxes)
    input_size = STRIDE * np.array(scores.shape[2:0:-1])
    boxes = boxes * (np.array(size) / input_size)
    order = reading_order(boxes)
    return boxes[order].astype(np.float32), box_scores[order].astype(np.float32)


def decode(scores: np.ndarray, geometry: np.ndarray, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """Boxes [K, 4, 2] in pixels of the detector's input, and their scores [K], of places with at least `threshold`.

    scores: FP32 [H, W]; geometry: FP32 [H, W, 5], the distances of a place (4x, 4y) to the top, right, bottom and left
    side in pixels, and the angle of the text in radians, counter-clockwise.
    """
    rows, columns = np.nonzero(scores >= threshold)
    top, right, bottom, left, angle = geometry[rows, columns].astype(np.float64).T
    along = np.stack([np.cos(angle), -np.sin(angle)], axis=1)
    down = np.stack([np.sin(angle), np.cos(angle)], axis=1)
    place = STRIDE * np.stack([columns, rows], axis=1)
    corners = [(-left, -top), (right, -top), (right, bottom), (-left, bottom)]
    boxes = np.stack([place + along * u[:, None] + down * v[:, None] for u, v in corners], axis=1)
    is_valid = (top + bottom > 0) & (left + right > 0)
    return boxes[is_valid], scores[rows, columns][is_valid].astype(np.float64)


def suppress(boxes: np.ndarray, scores: np.ndarray, threshold: float, most: int) -> tuple[np.ndarray, np.ndarray]:
    """At most `most` boxes and their scores, best first: each replaces those it overlaps by more than `threshold`.

    The best remaining box is kept, and those with a larger intersection over union are dropped. As in EAST, corners are
    averaged over the replaced boxes, weighted by score, because each place predicts near sides best.
    """
    order = np.argsort(-scores, kind="stable")
    kept: list[np.ndarray] = []
    kept_scores: list[float] = []
    while len(order) and len(kept) < most:
        same = overlaps(boxes[order[0]], boxes[order]) > threshold
        same[0] = True
        kept.append(np.average(boxes[order[same]], axis=0, weights=scores[order[same]]))
        kept_scores.append(scores[order[0]])
        order = order[~same]
    return np.array(kept).reshape(-1, 4, 2), np.array(kept_scores)


def overlaps(box: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Intersection over union of `box` [4, 2] with each of `boxes` [N, 4, 2], all convex."""
    shared = np.zeros(len(boxes))
    near = ((boxes.max(axis=1) >= box.min(axis=0)) & (boxes.min(axis=1) <= box.max(axis=0))).all(axis=1)
    shared[near] = _intersections(box, boxes[near])
    return np.asarray(shared / (_areas(box) + _areas(boxes) - shared))


def reading_order(boxes: np.ndarray) -> np.ndarray:
    """Indices of `boxes` [N, 4, 2] in lines from top to bottom, each from left to right.

    A box is in the line of a higher one when its centre is less than half that one's height below that one's centre.
    """
    centres = boxes.mean(axis=1)
    heights = np.linalg.norm(boxes[:, 3] - boxes[:, 0], axis=1)
    lines: list[list[int]] = []
    first = None
    for index in np.argsort(centres[:, 1], kind="stable"):
        if first is None or centres[index, 1] - centres[first, 1] >= heights[first] / 2:
            first = index
            lines.append([])
        lines[-1].append(index)
    return np.array([index for line in lines for index in sorted(line, key=lambda i: centres[i, 0])], dtype=np.intp)


def _intersections(box: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Areas [N] that `box` shares with each of `boxes`: the intersection is convex and has three kinds of corners."""
    repeated = np.broadcast_to(box, boxes.shape)
    crossings, crossing = _crossings(repeated, boxes)
    corners = np.concatenate([repeated, boxes, crossings], axis=1)
    valid = np.concatenate([_inside(repeated, boxes), _inside(boxes, repeated), crossing], axis=1)
    count = valid.sum(axis=1)
    corners = np.where(valid[..., None], corners, 0)
    centre = corners.sum(axis=1) / np.maximum(count, 1)[:, None]
    # Invalid corners are moved to a valid one, where they add no area.
    first = np.take_along_axis(corners, valid.argmax(axis=1)[:, None, None], axis=1)
    offsets = np.where(valid[..., None], corners, first) - centre[:, None]
    order = np.argsort(np.arctan2(offsets[..., 1], offsets[..., 0]), axis=1)
    return np.where(count >= 3, _areas(np.take_along_axis(offsets, order[..., None], axis=1)), 0)


def _areas(polygons: np.ndarray) -> np.ndarray:
    """By the shoelace formula: [..., P, 2] -> [...]."""
    return np.asarray(np.abs(_cross(polygons, np.roll(polygons, -1, axis=-2)).sum(axis=-1)) / 2)


def _inside(points: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Which of points [N, P, 2] lie within their box [N, 4, 2] or on its edge: [N, P]."""
    edges = np.roll(boxes, -1, axis=1) - boxes
    return np.asarray((_cross(edges[:, None], points[:, :, None] - boxes[:, None]) >= -TOUCHING).all(axis=2))


def _crossings(boxes: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where the lines of the edges meet, [N, 16, 2], and whether it is on both edges, [N, 16]."""
    edges, other_edges = (np.roll(quads, -1, axis=1) - quads for quads in (boxes, others))
    apart = others[:, None] - boxes[:, :, None]
    slant = _cross(edges[:, :, None], other_edges[:, None])
    parallel = np.abs(slant) < TOUCHING
    slant = np.where(parallel, 1, slant)
    on_box = _cross(apart, other_edges[:, None]) / slant
    on_other = _cross(apart, edges[:, :, None]) / slant
    met = ~parallel & (on_box >= 0) & (on_box <= 1) & (on_other >= 0) & (on_other <= 1)
    places = boxes[:, :, None] + on_box[..., None] * edges[:, :, None]
    return places.reshape(len(boxes), 16, 2), met.reshape(len(boxes), 16)


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.asarray(a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0])

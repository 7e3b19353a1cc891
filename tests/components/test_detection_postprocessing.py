import numpy as np
import pytest

SETTINGS = {"score_threshold": 0.5, "overlap_threshold": 0.2, "most_boxes": 10}
INPUTS = {"scores/Sigmoid:0": "TYPE_FP32", "geometry/concat:0": "TYPE_FP32", "picture": "TYPE_UINT8"}
OUTPUTS = {"input.1": "TYPE_FP32", "boxes": "TYPE_FP32", "scores": "TYPE_FP32"}


@pytest.fixture
def model(load_component):
    files, dims = {"settings.json": SETTINGS}, {"input.1": [-1, 1, 16, 40]}
    return load_component("detection_postprocessing", INPUTS, OUTPUTS, files, dims)


@pytest.fixture
def ask(model, request_of):
    def answer(scores, geometry, picture):
        request = request_of(**dict(zip(INPUTS, (scores, geometry, picture), strict=True)))
        (response,) = model.execute([request])
        return response

    return answer


def maps(*spans):
    """Perfect maps of level boxes (left, top, right, bottom) on an input of 128 x 64."""
    scores, geometry = np.zeros((1, 16, 32, 1), np.float32), np.zeros((1, 16, 32, 5), np.float32)
    for left, top, right, bottom in spans:
        for row, column in np.ndindex(16, 32):
            x, y = 4 * column, 4 * row
            if left < x < right and top < y < bottom:
                scores[0, row, column] = 0.75
                geometry[0, row, column, :4] = [y - top, right - x, bottom - y, x - left]
    return scores, geometry


def test_gives_crops_of_the_configs_size_with_their_boxes(ask):
    picture = np.zeros((128, 256, 1), np.uint8)
    picture[20:60, 20:100] = 255
    picture[70:120, 140:240] = 51
    response = ask(*maps((70, 35, 120, 60), (10, 10, 50, 30)), picture)
    crops, boxes, scores = (response.outputs[name] for name in OUTPUTS)
    assert (crops.shape, crops.dtype) == ((2, 1, 16, 40), np.float32)
    # The outermost pixels are mixed with what lies beyond the box.
    np.testing.assert_allclose(crops[0, :, 1:-1, 1:-1], 1, atol=1e-4)
    np.testing.assert_allclose(crops[1, :, 1:-1, 1:-1], -0.6, atol=1e-4)
    np.testing.assert_allclose(boxes[0], [[20, 20], [100, 20], [100, 60], [20, 60]], atol=1e-3)
    np.testing.assert_allclose(boxes[1], [[140, 70], [240, 70], [240, 120], [140, 120]], atol=1e-3)
    np.testing.assert_array_equal(scores, [0.75, 0.75])


def test_an_image_without_text_gets_a_blank_crop(ask):
    response = ask(*maps(), np.zeros((64, 128, 1), np.uint8))
    crops, boxes, scores = (response.outputs[name] for name in OUTPUTS)
    np.testing.assert_array_equal(crops, np.zeros((1, 1, 16, 40)))
    assert (boxes.shape, scores.shape) == ((0, 4, 2), (0,))


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_maps_that_are_not_finite_are_an_error_and_no_box(ask, which, value):
    found = maps((10, 10, 50, 30))
    found[which][0, 3, 3, 0] = value
    response = ask(*found, np.zeros((64, 128, 1), np.uint8))
    assert "not finite" in response.error.message()
    assert response.error.code() == "INTERNAL"

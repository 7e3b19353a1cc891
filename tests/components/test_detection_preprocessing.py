import io

import numpy as np
import pytest
from PIL import Image

SETTINGS = {"longest_side": 64, "most_pixels": 20_000, "means": [100, 50, 0]}


@pytest.fixture
def model(load_component):
    outputs = {"input_images:0": "TYPE_FP32", "picture": "TYPE_UINT8"}
    return load_component("detection_preprocessing", {"image": "TYPE_STRING"}, outputs, {"settings.json": SETTINGS})


def encoded(colour, size, kind="PNG"):
    stream = io.BytesIO()
    Image.new("RGB", size, colour).save(stream, kind)
    return np.array([stream.getvalue()], dtype=np.object_)


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_the_outputs_are_the_detector_s_input_and_the_grey_picture(model, request_of, kind):
    (response,) = model.execute([request_of(image=encoded((101, 52, 3), (128, 70), kind))])
    images, picture = response.outputs["input_images:0"], response.outputs["picture"]
    assert (images.shape, images.dtype) == ((1, 32, 64, 3), np.float32)
    np.testing.assert_allclose(images[0, 5, 5], [1, 2, 3], atol=2)
    assert (picture.shape, picture.dtype) == ((70, 128, 1), np.uint8)
    np.testing.assert_allclose(picture, 61, atol=2)


def test_an_invalid_image_does_not_fail_others(model, request_of):
    good = encoded((1, 2, 3), (40, 40))
    cut = np.array([good[0][:50]], dtype=np.object_)
    large = encoded((1, 2, 3), (200, 101))
    first, broken, bomb, last = model.execute([request_of(image=image) for image in (good, cut, large, good)])
    assert first.error is None
    assert last.error is None
    assert broken.error.message() == "input 'image': no readable image in these 50 bytes; send a whole JPEG or PNG file"
    assert bomb.error.message() == "input 'image': the image has more than 20000 pixels; send a smaller one"
    assert {broken.error.code(), bomb.error.code()} == {"INVALID_ARG"}

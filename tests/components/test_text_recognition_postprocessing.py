import numpy as np
import pytest

ALPHABET = {"0": "", "1": "a", "2": "ж"}
INPUTS = {"308": "TYPE_FP32", "boxes": "TYPE_FP32"}


@pytest.fixture
def ask(load_component, request_of):
    files = {"alphabet.json": ALPHABET}
    model = load_component("text_recognition_postprocessing", INPUTS, {"words": "TYPE_STRING"}, files)

    def answer(logits, count):
        boxes = np.zeros((count, 4, 2), np.float32)
        (response,) = model.execute([request_of(**dict(zip(INPUTS, (logits, boxes), strict=True)))])
        return response

    return answer


def logits(*rows):
    return np.eye(3, dtype=np.float32)[np.array(rows)]


def test_gives_a_word_for_each_box(ask):
    words = ask(logits([1, 1, 0, 1], [0, 2, 1, 1]), 2).outputs["words"]
    assert (words.tolist(), words.dtype) == ([b"aa", "жa".encode()], np.object_)


def test_the_blank_crop_of_an_image_without_text_gives_no_word(ask):
    words = ask(logits([1, 1, 0, 1]), 0).outputs["words"]
    assert (words.shape, words.dtype) == ((0,), np.object_)


def test_logits_that_are_not_finite_are_an_error_and_no_word(ask):
    broken = logits([1, 1, 0, 1])
    broken[0, 2, 1] = np.nan
    response = ask(broken, 1)
    assert "not finite" in response.error.message()
    assert response.error.code() == "INTERNAL"


@pytest.mark.parametrize(("shape", "count"), [((1, 4, 3), 2), ((2, 4, 5), 2)])
def test_logits_that_do_not_fit_boxes_or_alphabet_are_an_error(ask, shape, count):
    response = ask(np.zeros(shape, np.float32), count)
    assert str(list(shape)) in response.error.message()
    assert response.error.code() == "INTERNAL"

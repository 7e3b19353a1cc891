"""The OCR example: what it draws, what it teaches, and that the trained networks read unseen words."""

import json

import numpy as np
import onnx
import pytest
from PIL import Image

from examples.ocr import learning, reading, train, words
from tests import trained_ocr
from utils.host.errors import FactoryError
from utils.ocr.reading import boxes


def draw(seed, choose=words.training_word):
    return words.scene(np.random.default_rng(seed), choose, width=256, height=192, most_words=5)


def test_the_same_seed_draws_the_same_scene():
    first, again, other = draw(3), draw(3), draw(4)
    np.testing.assert_array_equal(first.picture, again.picture)
    assert first.words == again.words
    assert first.words != other.words


def test_training_words_are_of_the_alphabet_and_none_is_kept_for_the_test():
    drawn = {word for seed in range(40) for word in draw(seed).words}
    assert len(drawn) > 100
    assert set("".join(drawn)) == set(words.ALPHABET)
    assert not drawn & set(words.UNSEEN)
    assert set("".join(words.UNSEEN)) <= set(words.ALPHABET)


def test_a_training_word_that_is_to_stay_unseen_is_drawn_again(monkeypatch):
    word = words.training_word(np.random.default_rng(0))
    monkeypatch.setattr(words, "UNSEEN", (word,))
    assert words.training_word(np.random.default_rng(0)) != word


@pytest.mark.parametrize("seed", range(6))
def test_ink_lies_in_the_boxes(seed):
    random = np.random.default_rng(seed)
    mask, corners = words._word_mask(random, "gate7yj")
    places = np.argwhere(np.asarray(mask) > 64)[:, ::-1] + 0.5
    edges = np.roll(corners, -1, axis=0) - corners
    offsets = places[:, None] - corners
    inside = edges[:, 0] * offsets[..., 1] - edges[:, 1] * offsets[..., 0] >= 0
    assert len(places) > 50
    assert inside.all()


@pytest.mark.parametrize("seed", range(4))
def test_what_the_detector_is_taught_decodes_to_the_boxes(seed):
    scene = draw(seed)
    maps = learning.targets(scene)[None]
    found, _ = boxes.locate(maps[..., :1], maps[..., 1:], (256, 192), **reading.POSTPROCESSING)
    order = boxes.reading_order(scene.boxes)
    np.testing.assert_allclose(found, scene.boxes[order], atol=0.05)


def test_words_count_as_read_in_their_place_only():
    box = np.array([[0, 0], [50, 0], [50, 20], [0, 20]], dtype=float)
    truth = [{"word": "exit", "box": box.tolist()}, {"word": "gate7", "box": (box + 100).tolist()}]
    found = [
        reading.Word(text=text, box=box + off, score=1) for text, off in (("exit", 2), ("gate7", 0), ("gate", 101))
    ]
    assert reading.count_read(truth, found) == 1
    assert reading.count_read(truth, []) == 0


def test_training_writes_all_files_and_refuses_networks_that_read_too_little(tmp_path):
    budget = train.Budget(scenes=12, detector_steps=2, recognizer_steps=2, min_share=0.5)
    with pytest.raises(FactoryError, match=r"only .*% of the unseen words .* at least 50%"):
        train.train(tmp_path, budget, opset=17)
    assert {file.name for file in tmp_path.iterdir()} == {
        "alphabet.json", "detection.onnx", "recognition.onnx", "samples"
    }  # fmt: skip
    assert train.measure(tmp_path) < 0.5


@pytest.fixture(scope="module")
def trained():
    return trained_ocr.folder()


def tensors(values):
    """{name: dims}, -1 where any size goes."""
    return {
        value.name: [dim.dim_value if dim.HasField("dim_value") else -1 for dim in value.type.tensor_type.shape.dim]
        for value in values
    }


def test_the_graphs_have_the_tensors_of_the_tutorials_models(trained):
    detection, recognition = (onnx.load(trained / f"{name}.onnx") for name in ("detection", "recognition"))
    assert tensors(detection.graph.input) == {"input_images:0": [-1, -1, -1, 3]}
    assert tensors(detection.graph.output) == {
        "feature_fusion/Conv_7/Sigmoid:0": [-1, -1, -1, 1],
        "feature_fusion/concat_3:0": [-1, -1, -1, 5],
    }
    assert tensors(recognition.graph.input) == {"input.1": [-1, 1, 32, 100]}
    assert tensors(recognition.graph.output) == {"logits": [-1, 25, 37]}
    assert [graph.opset_import[0].version for graph in (detection, recognition)] == [17, 17]


def test_unseen_words_are_read_and_plain_ground_holds_none(trained, tmp_path):
    read = reading.load(trained)
    samples = trained / "samples"
    assert {file.suffix for file in samples.iterdir()} == {".png", ".jpg", ".json"}
    right = total = 0
    for file in sorted(samples.glob("*.jpg"))[:10]:
        truth = json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))
        assert {entry["word"] for entry in truth} <= set(words.UNSEEN)
        right += reading.count_read(truth, read(file.read_bytes()))
        total += len(truth)
    assert right / total >= 0.7
    Image.new("RGB", (200, 150), (60, 90, 120)).save(tmp_path / "plain.png")
    assert read((tmp_path / "plain.png").read_bytes()) == []

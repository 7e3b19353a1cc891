"""--task ocr on the command line, and what it writes for its own proof; tests/server has the served pipeline."""

import io
from pathlib import Path

import pytest
from PIL import Image

from utils.docker import context, wheelhouse
from utils.host.errors import UsageError
from utils.ocr import golden
from utils.options.build_spec import parse_arguments
from utils.tasks.ocr import TASK

START = ["detection.onnx", "-", "alphabet.json", "words", "v1", "1", "--task", "ocr"]
SECOND = ["--add-model", "text_recognition=recognition.onnx"]
ENDS = ["--inputs", "images:0", "--outputs", "scores:0,geometry:0"]
ALPHABET = ("", *"0123456789abcdefghijklmnopqrstuvwxyz")


def test_the_served_api():
    assert [str(tensor) for tensor in TASK.inputs] == ["image BYTES [1]"]
    assert [str(tensor) for tensor in TASK.outputs({}, None)] == [
        "words BYTES [-1]",
        "boxes FP32 [-1, 4, 2]",
        "scores FP32 [-1]",
    ]


def test_both_graphs_get_their_own_names():
    spec = parse_arguments([*START, *SECOND])
    assert list(spec.source.models.by_name) == ["text_detection", "text_recognition"]
    assert spec.source.sources.requirements.blank_label


def test_a_frozen_graph_has_its_ends_and_each_graph_its_own():
    recognition = ["--add-model", "text_recognition=str.pb", "--inputs", "text_recognition=crops:0"]
    spec = parse_arguments(
        ["east.pb", *START[1:], *ENDS, *recognition, "--outputs", "text_recognition=logits:0", "--means", "1,2,3"]
    )
    detector, recognizer = spec.source.models.by_name.values()
    assert (detector.inputs, detector.outputs) == (("images:0",), ("scores:0", "geometry:0"))
    assert (recognizer.inputs, recognizer.outputs) == (("crops:0",), ("logits:0",))
    assert TASK.pipeline.settings(spec.source.options)["means"] == [1, 2, 3]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (START, "--add-model text_recognition=FILE"),
        ([*START, *SECOND, "--add-model", "other=a.onnx"], "this task takes text_recognition"),
        (["model.onnx", "-", "-", *START[3:], *SECOND], "ID2LABEL is -"),
        ([*START[:3], "text_detection", *START[4:], *SECOND], "MODEL_NAME 'text_detection'"),
        ([*START, *SECOND, *ENDS], "--inputs 'images:0'"),
        (["east.pb", *START[1:], *SECOND], "--inputs"),
        (["east.pb", *START[1:], *SECOND, *ENDS[:2]], "--outputs"),
        (["east.pb", *START[1:], *SECOND, *ENDS, *ENDS], "has that already; give it once"),
        ([*START, *SECOND, "--score-threshold", "1.5"], "--score-threshold is '1.5'"),
        ([*START, *SECOND, "--means", "1,2"], "--means is '1,2'"),
        ([*START, *SECOND, "--means", "nan,2,3"], "--means is"),
        ([*START, *SECOND, "--longest-side", "16"], "--longest-side is 16"),
    ],
)
def test_what_cannot_be_is_refused(arguments, message):
    with pytest.raises(UsageError) as refusal:
        parse_arguments(arguments)
    assert message in str(refusal.value)


@pytest.mark.parametrize("alphabet", [ALPHABET, tuple(map(str.upper, ALPHABET)), ("-", *"абвгдежз")])
def test_the_golden_pictures_are_the_same_each_time_and_of_the_alphabet(alphabet):
    pictures = golden.pictures(alphabet)
    assert pictures == golden.pictures(alphabet)
    assert set("".join(word for _, words in pictures for word in words)) <= set(alphabet)
    formats = [Image.open(io.BytesIO(content)).format for content, _ in pictures]
    assert {"PNG", "JPEG"} <= set(formats)
    assert [len(words) for _, words in pictures][-1] == 0 < len(pictures[0][1])


def test_the_image_has_what_decodes_pictures_and_others_have_not(tmp_path, monkeypatch):
    def texts_of(folder, *, requirements, **_):
        return "".join(file.read_text() for file in requirements)

    monkeypatch.setattr(wheelhouse, "fill", texts_of)
    docker = {"triton_image": "triton:1", "slim_image": "debian:12-slim", "runtime": "slim", "python": "3.11"}
    for folder, components in (("with", ("detection_preprocessing", "model_onnx")), ("without", ("model_onnx",))):
        (tmp_path / folder).mkdir()
        context.write(
            tmp_path / folder, docker, [Path("model_repository", name, "requirements.txt") for name in components]
        )
    texts = [(tmp_path / folder / "requirements-serving.txt").read_text() for folder in ("with", "without")]
    assert ["pillow==" in text for text in texts] == [True, False]

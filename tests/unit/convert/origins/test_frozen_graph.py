"""A frozen graph shaped as EAST's, made by TensorFlow in the environment that converts it."""

import subprocess

import numpy as np
import onnx
import onnxruntime
import pytest

from utils.convert.origins.frozen_graph import convert
from utils.host import environment
from utils.host.environments import TENSORFLOW
from utils.host.errors import ExportError, SourceError, UsageError

INPUTS = ["input_images:0"]
OUTPUTS = ["feature_fusion/Conv_7/Sigmoid:0", "feature_fusion/concat_3:0"]
MAKE = """
import sys
import numpy as np
import tensorflow as tf

v1, random = tf.compat.v1, np.random.default_rng(0)
folder = sys.argv[1]

def conv(x, width, stride=1, size=3):
    kernel = tf.constant(random.normal(0, 0.2, (size, size, x.shape[-1], width)).astype("float32"))
    return tf.nn.conv2d(x, kernel, strides=stride, padding="SAME")

with tf.Graph().as_default() as graph:
    images = v1.placeholder(tf.float32, [None, None, None, 3], "input_images")
    quarter = tf.nn.relu(conv(tf.nn.relu(conv(images / 64, 8, 2)), 12, 2))
    eighth = tf.nn.relu(conv(quarter, 16, 2))
    with v1.name_scope("feature_fusion"):
        up = v1.image.resize_bilinear(eighth, tf.shape(quarter)[1:3])
        merged = tf.nn.relu(conv(tf.concat([up, quarter], -1, name="concat_0"), 8))
        with v1.name_scope("Conv_7"):
            scores = tf.sigmoid(conv(merged, 1, size=1), name="Sigmoid")
        distances = tf.sigmoid(conv(merged, 4, size=1)) * 512
        turn = (tf.sigmoid(conv(merged, 1, size=1)) - 0.5) * (np.pi / 2)
        geometry = tf.concat([distances, turn], -1, name="concat_3")
    sample = random.uniform(-124, 140, (2, 64, 96, 3)).astype("float32")
    with v1.Session() as session:
        answers = session.run([scores, geometry], {images: sample})
    with open(folder + "/east.pb", "wb") as file:
        file.write(graph.as_graph_def().SerializeToString())
np.savez(folder + "/answers.npz", images=sample, scores=answers[0], geometry=answers[1])
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """east.pb, and TensorFlow's own answers to a sample in answers.npz."""
    place = tmp_path_factory.mktemp("frozen")
    python = environment.ensure(TENSORFLOW)
    subprocess.run([python, "-c", MAKE, place], check=True, capture_output=True, timeout=300)
    return place


@pytest.mark.long("17")
@pytest.mark.parametrize("opset", [13, 17])
def test_the_converted_graph_answers_as_tensorflow_did(folder, tmp_path, opset):
    path = convert(folder / "east.pb", tmp_path / "detection.onnx", inputs=INPUTS, outputs=OUTPUTS, opset=opset)
    assert path == tmp_path / "detection.onnx"
    (version,) = [entry.version for entry in onnx.load(path).opset_import if entry.domain in ("", "ai.onnx")]
    assert version == opset
    session = onnxruntime.InferenceSession(path)
    assert [tensor.name for tensor in session.get_inputs()] == INPUTS
    assert [tensor.name for tensor in session.get_outputs()] == OUTPUTS
    known = np.load(folder / "answers.npz")
    scores, geometry = session.run(OUTPUTS, {INPUTS[0]: known["images"]})
    np.testing.assert_allclose(scores, known["scores"], atol=1e-5)
    np.testing.assert_allclose(geometry, known["geometry"], rtol=1e-4, atol=1e-3)


@pytest.mark.long("inputs0*")
@pytest.mark.parametrize(
    ("inputs", "outputs", "message"),
    [
        (["image:0"], OUTPUTS, "has no tensor image:0; for --inputs it has input_images:0 "),
        (INPUTS, ["scores"], f"has no tensor scores; for --outputs it has {OUTPUTS[0]}, {OUTPUTS[1]} "),
    ],
)
def test_a_tensor_that_the_graph_lacks_is_reported_with_those_it_has(folder, tmp_path, inputs, outputs, message):
    with pytest.raises(ExportError) as refused:
        convert(folder / "east.pb", tmp_path / "x.onnx", inputs=inputs, outputs=outputs, opset=17)
    assert message in str(refused.value)
    assert not (tmp_path / "x.onnx").exists()


@pytest.mark.long("half")
@pytest.mark.parametrize("content", [b"", "half"])
def test_a_file_that_is_no_graph_is_refused(folder, tmp_path, content):
    whole = (folder / "east.pb").read_bytes()
    (tmp_path / "some.pb").write_bytes(whole[: len(whole) // 2] if content == "half" else content)
    with pytest.raises(SourceError, match=r"some\.pb"):
        convert(tmp_path / "some.pb", tmp_path / "x.onnx", inputs=INPUTS, outputs=OUTPUTS, opset=17)


def test_an_opset_that_tf2onnx_lacks_is_reported(folder, tmp_path):
    with pytest.raises(ExportError, match=r"tf2onnx cannot convert east\.pb at opset 99"):
        convert(folder / "east.pb", tmp_path / "x.onnx", inputs=INPUTS, outputs=OUTPUTS, opset=99)


@pytest.mark.parametrize(("inputs", "outputs", "option"), [([], OUTPUTS, "--inputs"), (INPUTS, [], "--outputs")])
def test_names_must_be_given(tmp_path, inputs, outputs, option):
    with pytest.raises(UsageError, match=option):
        convert(tmp_path / "east.pb", tmp_path / "x.onnx", inputs=inputs, outputs=outputs, opset=17)


def test_a_missing_file_is_reported_before_an_environment_is_made(tmp_path):
    with pytest.raises(SourceError, match="is no file"):
        convert(tmp_path / "east.pb", tmp_path / "x.onnx", inputs=INPUTS, outputs=OUTPUTS, opset=17)

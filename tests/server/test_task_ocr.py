"""ocr: two graphs become one pipeline by one command; it reads as the graphs do without a server, and unseen words."""

import io
import json
import shutil
import subprocess
import sys

import numpy as np
import onnx
import pytest
import tritonclient.grpc
import tritonclient.http
from onnx import TensorProto, helper
from PIL import Image

from examples.ocr import reading
from tests import trained_ocr
from tests.server.published import Increase, expected_names
from tests.server.task_requests import build, post
from utils import ROOT
from utils.host.build_tree import BUILD

NAME = "test-ocr"
CLIENTS = {"http": tritonclient.http, "grpc": tritonclient.grpc}


@pytest.fixture(scope="module")
def models():
    return trained_ocr.folder()


def arguments(models, name=NAME):
    recognizer = f"text_recognition={models / 'recognition.onnx'}"
    return [
        models / "detection.onnx",
        *("-", models / "alphabet.json", name, "v1", 1, "--task", "ocr", "--add-model", recognizer),
    ]


@pytest.fixture(scope="module")
def built(models):
    done = build(*arguments(models), "--json")
    assert done.returncode == 0, done.stderr
    yield done
    shutil.rmtree(BUILD / NAME, ignore_errors=True)


@pytest.fixture(scope="module")
def address(built, serve_repository):
    return serve_repository(BUILD / NAME / "v1/model_repository").address


def ask(protocol, address, content):
    """(words, boxes, scores) of an image's bytes."""
    client = CLIENTS[protocol]
    with client.InferenceServerClient(getattr(address, protocol)) as server:
        tensor = client.InferInput("image", [1], "BYTES")
        tensor.set_data_from_numpy(np.array([content], dtype=object))
        answer = server.infer(NAME, [tensor])
        return tuple(answer.as_numpy(name) for name in ("words", "boxes", "scores"))


def samples(models, count):
    files = sorted(file for file in (models / "samples").iterdir() if file.suffix != ".json")
    return files[:count]


def encoded(picture, kind="PNG"):
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, kind)
    return stream.getvalue()


def test_the_plan_and_the_proof_speak_of_both_graphs(built):
    result = json.loads(built.stdout)
    assert result["served_model"]["max_batch_size"] == 0
    assert [step["model"] for step in result["steps"]][1::2] == ["text_detection", "text_recognition"]
    assert result["task"]["longest_side"] == reading.PREPROCESSING["longest_side"]
    assert result["labels"]["count"] == 37
    assert "golden requests over HTTP and gRPC: answers equal" in built.stderr
    rows = json.loads((BUILD / NAME / "v1/golden.json").read_text(encoding="utf-8"))["rows"]
    assert {row["model"] for row in rows} == {NAME, "text_detection", "text_recognition"}
    found = [len(row["outputs"]["words"]["data"]) for row in rows if row["model"] == NAME]
    assert min(found) == 0 and max(found) > 2


@pytest.mark.parametrize("protocol", CLIENTS)
def test_the_answers_are_those_of_the_graphs_without_a_server(models, address, protocol):
    read = reading.load(models)
    total = 0
    for file in samples(models, 8):
        content = file.read_bytes()
        expected = read(content)
        words, boxes, scores = ask(protocol, address, content)
        assert [word.decode() for word in words] == [word.text for word in expected]
        np.testing.assert_allclose(boxes, [word.box for word in expected], atol=0.05)
        np.testing.assert_allclose(scores, [word.score for word in expected], atol=1e-4)
        total += len(words)
    assert total > 20


def test_the_metrics_count_images_and_words(models, address, serve_repository):
    increase = Increase(serve_repository(BUILD / NAME / "v1/model_repository").metrics, NAME)
    answers = [ask("grpc", address, file.read_bytes()) for file in samples(models, 3)]
    increase.wait_for(images_total=3, image_words_count=3, image_words_sum=sum(len(words) for words, *_ in answers))
    assert increase.names() == expected_names(BUILD / NAME / "v1")


def test_words_that_were_never_trained_on_are_read_where_they_stand(models, address):
    right = total = 0
    for file in samples(models, 40):
        truth = json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))
        words, boxes, scores = ask("http", address, file.read_bytes())
        found = [
            reading.Word(text=word.decode(), box=box, score=score)
            for word, box, score in zip(words, boxes, scores, strict=True)
        ]
        right += reading.count_read(truth, found)
        total += len(truth)
    assert right / total >= 0.8


def test_the_two_graphs_one_after_the_other_read_the_same(models, address):
    image = models / "samples/sample01.jpg"
    command = [sys.executable, "-m", "examples.ocr.client", image, "--url", address.http]
    ways = ["--ensemble", NAME], ["--alphabet", models / "alphabet.json"]
    whole, steps = (subprocess.run([*command, *way], cwd=ROOT, capture_output=True, text=True) for way in ways)
    assert (whole.returncode, steps.returncode) == (0, 0), whole.stderr + steps.stderr
    assert whole.stdout == steps.stdout
    assert len(whole.stdout.splitlines()) > 1


@pytest.mark.parametrize("protocol", CLIENTS)
def test_a_picture_without_text_has_no_words(address, protocol):
    words, boxes, scores = ask(protocol, address, encoded(np.full((120, 200, 3), 90, np.uint8)))
    assert (words.shape, boxes.shape, scores.shape) == ((0,), (0, 4, 2), (0,))


@pytest.mark.parametrize("content", [b"", b"no image", b"GIF89a", "half"], ids=["empty", "text", "gif", "half"])
def test_what_is_no_picture_is_the_clients_fault(address, content):
    if content == "half":
        whole = encoded(np.random.default_rng(0).integers(0, 256, (80, 80, 3), dtype=np.uint8))
        content = whole[: len(whole) // 2]
    with pytest.raises(tritonclient.http.InferenceServerException, match="no readable image") as refusal:
        ask("http", address, content)
    assert refusal.value.status() == "400"
    with pytest.raises(tritonclient.grpc.InferenceServerException, match="no readable image") as refusal:
        ask("grpc", address, content)
    assert refusal.value.status() == "StatusCode.INVALID_ARGUMENT"


def test_plain_json_with_a_text_in_place_of_a_picture_gets_400(address):
    status, body = post(address, NAME, {"image": ([1], ["picture.png"])})
    assert status == 400
    assert "no readable image" in body["error"]


def graph_file(path, inputs, outputs):
    """A graph whose outputs are zeros; it is refused for its tensors, before it is run."""
    tensors = [
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, dims) for name, dims in each.items()]
        for each in (inputs, outputs)
    ]
    nodes = [helper.make_node("RandomUniform", [], [name], shape=[1]) for name in outputs]
    model = helper.make_model(
        helper.make_graph(nodes, "g", *tensors), opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    )
    onnx.save(model, path)
    return path


IMAGES = {"images": ["n", "h", "w", 3]}
MAPS = {"scores": ["n", "h", "w", 1], "geometry": ["n", "h", "w", 5]}
CROPS, LOGITS = {"crops": ["n", 1, 32, 100]}, {"logits": ["n", 25, 3]}
# case -> tensors of the detector and of the recognizer, number of symbols, exit code, part of the message
WRONG = {
    "channels first": (({"images": ["n", 3, "h", "w"]}, MAPS), (CROPS, LOGITS), 3, 4, "detection has input images"),
    "one size": (({"images": ["n", 64, 64, 3]}, MAPS), (CROPS, LOGITS), 3, 4, "detection has input images"),
    "one map": ((IMAGES, {"scores": MAPS["scores"]}), (CROPS, LOGITS), 3, 4, "detection has outputs scores"),
    "corners": ((IMAGES, {**MAPS, "geometry": ["n", "h", "w", 8]}), (CROPS, LOGITS), 3, 4, "detection has outputs"),
    "colour": ((IMAGES, MAPS), ({"crops": ["n", 3, 32, 100]}, LOGITS), 3, 4, "recognition has input crops"),
    "one crop": ((IMAGES, MAPS), ({"crops": [1, 1, 32, 100]}, LOGITS), 3, 4, "recognition has input crops"),
    "no frames": ((IMAGES, MAPS), (CROPS, {"logits": ["n", 3]}), 3, 4, "recognition has output logits"),
    "alphabet": ((IMAGES, MAPS), (CROPS, LOGITS), 4, 3, "has 4 labels but the model's head has 3 outputs"),
}


@pytest.mark.parametrize("case", WRONG)
def test_graphs_that_do_not_fit_are_refused_before_anything_slow(case, tmp_path):
    detector, recognizer, symbols, code, message = WRONG[case]
    graph_file(tmp_path / "detection.onnx", *detector)
    graph_file(tmp_path / "recognition.onnx", *recognizer)
    (tmp_path / "alphabet.json").write_text(json.dumps({str(index): "abc"[:index] for index in range(symbols)}))
    done = build(*arguments(tmp_path, "test-ocr-wrong"))
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert message in done.stderr.splitlines()[-1]
    assert "convert  " not in done.stderr


def test_the_graphs_tensors_may_have_any_names_and_order(models, tmp_path):
    """Those that the steps use among them: the graph's `scores` is a map, the pipeline's are numbers."""
    for name in ("recognition.onnx", "alphabet.json"):
        (tmp_path / name).symlink_to(models / name)
    graph = onnx.load(models / "detection.onnx")
    outputs = list(graph.graph.output)[::-1]
    for output, name in zip(outputs, ("boxes", "scores"), strict=True):
        graph.graph.node.append(helper.make_node("Identity", [output.name], [name]))
        output.name = name
    del graph.graph.output[:]
    graph.graph.output.extend(outputs)
    onnx.save(graph, tmp_path / "detection.onnx")
    name = f"{NAME}-names"
    try:
        done = build(*arguments(tmp_path, name), "--json", "--output-name", "words=texts", "--longest-side", 320)
    finally:
        shutil.rmtree(BUILD / name, ignore_errors=True)
    assert done.returncode == 0, done.stderr
    assert "answers equal" in done.stderr
    result = json.loads(done.stdout)
    assert [text.split()[0] for text in result["served_model"]["outputs"]] == ["texts", "boxes", "scores"]
    assert [text.split()[0] for text in result["steps"][1]["outputs"]] == ["boxes", "scores"]
    assert result["task"]["longest_side"] == 320

"""TorchScript for the pytorch backend, on a real Triton. The environment with torch in it is made for this module only.

Two published tutorials describe the systems served here; their requests and their programs run as they were written.
"""

import json
import re
import shlex
import shutil
import subprocess
import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tritonclient.grpc
import tritonclient.http
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2
from tritonclient.utils import InferenceServerException

from tests import tiny_models, warm_builds
from tests.server.task_requests import build
from utils import ROOT
from utils.host.build_tree import BUILD
from utils.host.environments import SERVING, SERVING_TORCH
from utils.host.errors import BootProofError
from utils.triton.server import environment_for, serve

TEXTS = ["슈퍼 엔저 장기화에…한국 수출∙경상수지에 비상등", "엔저 기조 끝날까… 기나긴 하락 끝에 엔-원 환율 반등"]
CURL = """
curl -X POST http://localhost:8000/v2/models/{model}/versions/1/infer \\
   -H 'Content-Type: application/json' \\
   -d '{{"name": "embedding", "inputs": [{{"name": "input_text", "shape": [2, 1], "datatype": "BYTES", "data": [["슈퍼 엔저 장기화에…한국 수출∙경상수지에 비상등"], ["엔저 기조 끝날까… 기나긴 하락 끝에 엔-원 환율 반등"]]}}]}}'
"""  # noqa: E501
PROGRAM = """
import tritonclient.http as httpclient
import numpy as np

text = [
    ['슈퍼 엔저 장기화에…한국 수출∙경상수지에 비상등'.encode('utf-8')],
    ['엔저 기조 끝날까… 기나긴 하락 끝에 엔-원 환율 반등'.encode('utf-8')]
]
text = np.array(text, dtype=np.bytes_)

input_text = httpclient.InferInput("input_text", list(text.shape), datatype="BYTES")
input_text.set_data_from_numpy(text, binary_data=True)

outputs = httpclient.InferRequestedOutput("output__0", binary_data=True)

client = httpclient.InferenceServerClient(url="localhost:8000")
result = client.infer(model_name='embedding', inputs=[input_text], outputs=[outputs])
print(result.as_numpy('output__0').shape)
"""
LIBTORCH = """
name: "bert"
platform: "pytorch_libtorch"
max_batch_size: 32
input [
    {
        name: "input__0"
        data_type: TYPE_INT32
        dims: [256]
    },
    {
        name: "input__1"
        data_type: TYPE_INT32
        dims: [256]
    }
]
output {
    name: "output__0"
    data_type: TYPE_FP32
    dims: [2]
}
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A classifier with two labels and 256 positions; its body is the embedding model."""
    return tiny_models.bert(tmp_path_factory.mktemp("torchscript") / "model", positions=256, labels=("no", "yes"))


@pytest.fixture(scope="module")
def embedding(model):
    """The first tutorial's system, by one command: `embedding`, `tokenizer` and a step for the graph."""
    tag = "test-torchscript"
    names = ("--input-name", "input_text", "--output-name", "output__0", "--step-name", "text_preprocessing=tokenizer")
    task = ("--task", "feature-extraction", "--format", "torchscript", "--json")
    done = build(model, model, "-", "embedding", tag, 4, *task, *names)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["runtime"] == "full"
    yield BUILD / "embedding" / tag / "model_repository"
    shutil.rmtree(BUILD / "embedding" / tag)


@pytest.fixture(scope="module")
def classifier(model):
    """The second tutorial's system, by one command: the graph alone, with a fixed length, INT32 and its own names."""
    tag = "test-torchscript"
    form = ("--format", "torchscript", "--sequence-length", 256, "--input-dtype", "INT32")
    done = build(model, model, "-", "bert", tag, 32, "--task", "logits", *form)
    assert done.returncode == 0, done.stderr
    yield BUILD / "bert" / tag / "model_repository"
    shutil.rmtree(BUILD / "bert" / tag)


@pytest.fixture(scope="module")
def server(embedding, classifier, tmp_path_factory, serve_repository):
    """The address of both systems, and of `libtorch`: the classifier's model.pt below the second tutorial's config."""
    repository = tmp_path_factory.mktemp("systems") / "models"
    for system in (embedding, classifier):
        shutil.copytree(system, repository, dirs_exist_ok=True)
    (repository / "libtorch/1").mkdir(parents=True)
    shutil.copyfile(classifier / "bert/1/model.pt", repository / "libtorch/1/model.pt")
    (repository / "libtorch/config.pbtxt").write_text(LIBTORCH.replace('"bert"', '"libtorch"'))
    return serve_repository(repository).address


def curl(command, address):
    """Sends what a curl command would."""
    words = shlex.split(command.replace("\\\n", " "))
    url = next(word for word in words if word.startswith("http://")).replace("localhost:8000", address)
    body, header = words[words.index("-d") + 1], words[words.index("-H") + 1]
    request = urllib.request.Request(url, data=body.encode(), headers=dict([header.split(": ")]))
    with urllib.request.urlopen(request, timeout=60) as response:
        return {tensor["name"]: tensor for tensor in json.load(response)["outputs"]}


def as_array(tensor):
    return np.array(tensor["data"]).reshape(tensor["shape"])


def encoded(model, texts):
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(model)(texts, padding=True, return_tensors="pt")


def mean_of_states(model, texts):
    """Each text alone, by PyTorch."""
    import torch
    from transformers import AutoModel

    original = AutoModel.from_pretrained(model).eval()
    with torch.inference_mode():
        rows = [original(**encoded(model, [text])).last_hidden_state[0].mean(0).numpy() for text in texts]
    return np.stack(rows)


def logits(model, texts):
    import torch
    from transformers import AutoModelForSequenceClassification

    original = AutoModelForSequenceClassification.from_pretrained(model).eval()
    with torch.inference_mode():
        return np.concatenate([original(**encoded(model, [text])).logits.numpy() for text in texts])


def test_the_first_tutorials_embedding_request(server, model):
    outputs = curl(CURL.format(model="embedding"), server.http)
    assert list(outputs) == ["output__0"]
    np.testing.assert_allclose(as_array(outputs["output__0"]), mean_of_states(model, TEXTS), atol=1e-5)


def test_the_first_tutorials_tokenizer_request(server, model):
    outputs = curl(CURL.format(model="tokenizer"), server.http)
    tokens = encoded(model, TEXTS)
    assert sorted(outputs) == ["attention_mask", "input_ids"]
    for name, tensor in outputs.items():
        assert (as_array(tensor) == tokens[name].numpy()).all()


def test_the_first_tutorials_program(server, model):
    program = PROGRAM.replace("localhost:8000", server.http) + "print(result.as_numpy('output__0').tolist())"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    shape, values = done.stdout.splitlines()
    assert shape == "(2, 32)"
    np.testing.assert_allclose(json.loads(values), mean_of_states(model, TEXTS), atol=1e-5)


def test_texts_of_every_length_in_one_batch(server, model):
    texts = ["a", "", "помогите мне пожалуйста " * 20, "word " * 900]
    tensor = tritonclient.grpc.InferInput("input_text", [4, 1], "BYTES")
    tensor.set_data_from_numpy(np.array([[text.encode()] for text in texts], dtype=object))
    with tritonclient.grpc.InferenceServerClient(server.grpc) as client:
        embeddings = client.infer("embedding", [tensor]).as_numpy("output__0")
    np.testing.assert_allclose(embeddings[:3], mean_of_states(model, texts[:3]), atol=1e-5)
    assert np.isfinite(embeddings[3]).all()


@pytest.mark.long("bert")
@pytest.mark.parametrize("name", ["bert", "libtorch"])
def test_the_second_tutorials_client_prints_the_logits(server, model, name):
    places = ("--http", server.http, "--grpc", server.grpc)
    printed = warm_builds.python(ROOT / "examples/triton_client.py", name, model, *TEXTS, *places)
    protocols = printed.split("output__0:\n")[1:]
    assert len(protocols) == 2
    for protocol in protocols:
        values = protocol.replace("[", " ").replace("]", " ").split()[:4]
        np.testing.assert_allclose(np.array(values, float).reshape(2, 2), logits(model, TEXTS), atol=1e-4)


def test_the_graph_has_the_second_tutorials_tensors(classifier):
    config, expected = (parse_config(text) for text in (classifier / "bert/config.pbtxt", LIBTORCH))
    assert config.backend == "pytorch"
    for field in ("name", "platform", "max_batch_size", "input", "output"):
        assert getattr(config, field) == getattr(expected, field)


def parse_config(source):
    text = source if isinstance(source, str) else source.read_text(encoding="utf-8")
    return text_format.Parse(text, model_config_pb2.ModelConfig())


def test_a_token_that_the_model_does_not_know_fails_alone_and_names_no_path_of_this_machine(server):
    """The graph is served without dynamic batching: the C++ backend, too, fails all requests of a run."""

    def ask(token):
        inputs = [tritonclient.grpc.InferInput(name, [1, 256], "INT32") for name in ("input__0", "input__1")]
        for tensor, value in zip(inputs, (token, 1), strict=True):
            tensor.set_data_from_numpy(np.full((1, 256), value, dtype=np.int32))
        with tritonclient.grpc.InferenceServerClient(server.grpc) as client:
            try:
                return client.infer("bert", inputs).as_numpy("output__0").shape
            except InferenceServerException as error:
                return f"{error.status()} {error.message()}"

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, [1, 2, 99_999, 3] * 4))
    for place, answer in enumerate(answers):
        if place % 4 == 2:
            assert answer.startswith("StatusCode.INTERNAL PyTorch execute failure: ") and "index out of range" in answer
            assert 'File "code/__torch__' in answer, "torch names places in the archive"
            assert not re.search(r"(?<![\w.])/\w+/", answer), answer
        else:
            assert answer == (1, 2)


def test_only_a_repository_with_torchscript_needs_the_environment_with_torch(classifier, tmp_path):
    assert environment_for(classifier) is SERVING_TORCH
    (tmp_path / "model_onnx").mkdir()
    shutil.copyfile(ROOT / "model_repository/model_onnx/config.pbtxt.template", tmp_path / "model_onnx/config.pbtxt")
    assert environment_for(tmp_path) is SERVING


def test_one_input_too_many_is_refused_when_the_model_is_loaded(classifier, tmp_path):
    shutil.copytree(classifier / "bert", tmp_path / "bert")
    config = tmp_path / "bert/config.pbtxt"
    third = 'input [ { name: "input__2" data_type: TYPE_INT32 dims: [ 256 ] } ]'
    config.write_text(f"{config.read_text()}\n{third}\n")
    reason = "unable to load model 'bert', configuration expects 3 inputs, model provides 2"
    with pytest.raises(BootProofError, match=reason), serve(tmp_path):
        pass

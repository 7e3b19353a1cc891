"""The main job without Docker: real clients, real Triton, from reference to proven repository.

The real scripts run for the model from the hub and for the repository that is rendered again. The other builds are
forks of a warm process (tests/warm_builds.py).
"""

import functools
import json
import os
import shutil
import subprocess
import urllib.error
import urllib.request

import numpy as np
import pytest
import tritonclient.grpc
import tritonclient.http

from tests import tiny_models
from tests.loopback.clearml_server import ClearmlServer
from tests.loopback.hub import HubServer
from tests.server.task_requests import build
from utils import ROOT
from utils.host.build_tree import BUILD


@pytest.fixture
def name(request):
    """A model name of the test's own; its builds are removed afterwards."""
    name = (
        "test-" + "".join(letter if letter.isalnum() else "-" for letter in request.node.name.lower()).strip("-")[:60]
    )
    name = name.rstrip("-").replace("--", "-")
    yield name
    shutil.rmtree(BUILD / name, ignore_errors=True)
    shutil.rmtree(BUILD / ".unfinished" / name, ignore_errors=True)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """`models(family)`: its folder."""
    folder = tmp_path_factory.mktemp("models with spaces")
    return functools.cache(lambda family: tiny_models.FAMILIES[family](folder / family))


@pytest.fixture(scope="module")
def plain(models):
    """The name of BERT's build without options, proven."""
    name = "test-build-plain"
    done = build(models("bert"), models("bert"), "-", name, "latest", 8)
    assert done.returncode == 0, done.stderr
    yield name
    shutil.rmtree(BUILD / name)


def pytorch(model, texts, function="softmax"):
    """transformers' own answer, one text at a time: (labels best first, scores) a text."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer, original = (
        AutoTokenizer.from_pretrained(model),
        AutoModelForSequenceClassification.from_pretrained(model),
    )
    limit = min(tokenizer.model_max_length, 512)
    answers = []
    for text in texts:
        tokens = tokenizer(text, truncation=True, max_length=limit, return_tensors="pt")
        with torch.inference_mode():
            logits = original(**tokens).logits[0]
        scores = {"softmax": logits.softmax(-1), "sigmoid": logits.sigmoid(), "none": logits}[function]
        order = scores.argsort(descending=True)
        answers.append(([original.config.id2label[int(i)] for i in order], scores[order].tolist()))
    return answers


TEXTS = ["I would like my money back", "помогите мне", "🦊 jumps", "", "word " * 900]


def ask(client, address, name, texts):
    tensor = client.InferInput("text_input", [len(texts), 1], "BYTES")
    tensor.set_data_from_numpy(np.array([[text.encode()] for text in texts], dtype=object))
    with client.InferenceServerClient(address) as server:
        result = server.infer(name, [tensor])
    return [[each.decode() for each in row] for row in result.as_numpy("predicts")], result.as_numpy("scores")


@pytest.mark.long("bert")
@pytest.mark.parametrize("family", list(tiny_models.FAMILIES))
def test_a_family_is_built_proven_and_answers_as_pytorch(family, models, name, tmp_path, serve_repository):
    labels = tmp_path / "id2label.json"
    labels.write_text(json.dumps({"0": "плохо", "1": 'q"{{ x }}$y', "2": "良い\n"}), encoding="utf-8")
    done = build(models(family), models(family), labels, name, "v1", 8, "--top-k", 3, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{BUILD / name / 'v1' / 'model_repository'}\n"
    assert "golden requests over HTTP and gRPC: answers equal" in done.stderr
    assert {"context.json", "golden.json", "model_repository", "Dockerfile", "wheelhouse"} <= {
        path.name for path in (BUILD / name / "v1").iterdir()
    }
    renamed = dict(zip(tiny_models.LABELS, ["плохо", 'q"{{ x }}$y', "良い\n"], strict=True))
    address = serve_repository(BUILD / name / "v1/model_repository").address
    expected = pytorch(models(family), TEXTS)
    for client, port in ((tritonclient.http, address.http), (tritonclient.grpc, address.grpc)):
        predicts, scores = ask(client, port, name, TEXTS)
        for row, (names, values) in enumerate(expected):
            assert predicts[row] == [renamed[label] for label in names]
            np.testing.assert_allclose(scores[row], values, atol=1e-4)


@pytest.mark.long("multi_label*")
@pytest.mark.parametrize(
    ("problem_type", "labels", "function", "k"),
    [("multi_label_classification", ("a", "b", "c"), "sigmoid", 3), ("regression", ("stars",), "none", 1)],
)
def test_the_other_two_kinds_of_head(problem_type, labels, function, k, name, tmp_path, serve_repository):
    model = tiny_models.bert(tmp_path / "model", labels=labels, problem_type=problem_type)
    done = build(model, model, "-", name, "--no-verify")
    assert done.returncode == 0, done.stderr
    address = serve_repository(BUILD / name / "latest/model_repository").address
    predicts, scores = ask(tritonclient.http, address.http, name, TEXTS[:4])
    assert scores.shape == (4, k)
    for row, (names, values) in enumerate(pytorch(model, TEXTS[:4], function)):
        assert predicts[row] == names
        np.testing.assert_allclose(scores[row], values, atol=1e-4)


def test_requests_of_the_documentation(models, plain, serve_repository):
    address = serve_repository(BUILD / plain / "latest/model_repository").address.http
    ((labels, scores),) = pytorch(models("bert"), ["помогите мне"])
    tensor = '{"name":"text_input","shape":[1,1],"datatype":"BYTES","data":["помогите мне"]}'
    infer = post(f"http://{address}/v2/models/{plain}/infer", f'{{"inputs":[{tensor}]}}')
    assert {each["name"]: each["data"] for each in infer["outputs"]}["predicts"] == labels[:1]
    generate = post(f"http://{address}/v2/models/{plain}/generate", '{"text_input": "помогите мне"}')
    assert generate["predicts"] == labels[0]
    assert generate["scores"] == pytest.approx(scores[0], abs=1e-4)


def post(url, body):
    with urllib.request.urlopen(urllib.request.Request(url, data=body.encode()), timeout=30) as response:
        return json.load(response)


def test_model_from_the_hub_tokenizer_from_clearml(models, name, tmp_path):
    """Independent references, the real clients, loopback servers that speak their protocols."""
    with (
        HubServer({"user/topics": models("bert")}) as hub,
        ClearmlServer({"0123456789abcdef0123456789abcdef": models("bert")}) as clearml,
    ):
        env = {**hub.environment(tmp_path / "cache"), **clearml.environment()}
        sources = ("hf:user/topics", "clearml:0123456789abcdef0123456789abcdef", "-")
        done = build(*sources, name, "v2", 8, "--json", env=env)
        commit = hub.commit("user/topics")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["revisions"]["model"] == commit
    assert result["model_repository"] == str(BUILD / name / "v2/model_repository")
    sbom, statement = (json.loads((BUILD.parent / result[file]).read_text()) for file in ("sbom", "provenance"))
    assert sbom["metadata"]["component"] == {"bom-ref": "root", "name": name, "type": "application", "version": "v2"}
    assert {"numpy", "tokenizers", "hf:user/topics"} <= {each["name"] for each in sbom["components"]}
    assert statement["subject"][0]["name"] == name
    inputs = {each["name"]: each for each in statement["predicate"]["buildDefinition"]["resolvedDependencies"]}
    assert inputs["model"]["digest"] == {"gitCommit": commit}
    context = json.loads((BUILD / name / "v2/context.json").read_text(encoding="utf-8"))
    assert context["oci_labels"]["org.opencontainers.image.revision"] == commit


def test_wrong_golden_answers_fail_the_proof(plain, tmp_path):
    """A component that answers otherwise: the proof must see it, whatever the conversion said."""
    checkout = BUILD.parent
    golden = shutil.copytree(BUILD / plain / "latest", tmp_path / "tree") / "golden.json"
    content = json.loads(golden.read_text(encoding="utf-8"))
    labels = content["rows"][2]["outputs"]["predicts"]["data"]
    labels.append(labels.pop(0))  # the best label is last now, and every other one in its place
    golden.write_text(json.dumps(content), encoding="utf-8")
    program = (
        "import sys; from pathlib import Path; from utils.host import entry;"
        "from utils.factory import prove_and_publish as m;"
        "from utils.repository.context import read_context; tree = Path(sys.argv[1]);"
        "entry.run(lambda: m.prove_locally(read_context(tree / 'context.json'), tree) or '')"
    )
    done = subprocess.run(
        [str(checkout / ".venv/bin/python"), "-c", program, str(golden.parent)],
        capture_output=True, text=True, check=False, timeout=120, env={**os.environ, "PYTHONPATH": str(checkout)},
    )  # fmt: skip
    assert done.returncode == 8
    assert "помогите мне" in done.stderr and "is right" in done.stderr
    assert "Traceback" not in done.stderr


def test_rendering_again_gives_the_same_repository(plain, tmp_path):
    command = [ROOT / "process_template.sh", BUILD / plain / "latest/context.json", tmp_path / "again"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{tmp_path / 'again/model_repository'}\n"
    assert contents(tmp_path / "again/model_repository") == contents(BUILD / plain / "latest/model_repository")


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_failed_build_leaves_the_last_good_one(models, plain, tmp_path):
    before = contents(BUILD / plain / "latest")
    broken = tmp_path / "broken"
    shutil.copytree(models("bert"), broken)
    (broken / "model.safetensors").write_bytes(b"\0" * 100)
    done = build(broken, models("bert"), "-", plain, "latest", 8, "--no-verify")
    assert done.returncode == 3, done.stderr
    assert contents(BUILD / plain / "latest") == before
    # Other builds may run in this checkout.
    assert not [each for each in (BUILD / ".work").iterdir() if each.name.startswith(plain)]


def test_tensors_and_steps_under_names_of_the_users_own(models, name, serve_repository):
    """Built and proven under them, and the usual names are gone."""
    names = ["--input-name", "input_text", "--output-name", "predicts=label,scores=p"]
    steps = "text_preprocessing=tokenizer,model_onnx=Graph-1"
    done = build(models("bert"), models("bert"), "-", name, "latest", 8, "--top-k", 2, *names, "--step-name", steps)
    assert done.returncode == 0, done.stderr
    assert "golden requests over HTTP and gRPC: answers equal" in done.stderr
    assert '"name": "input_text"' in done.stderr, "the request that is shown next has the name, too"
    repository = BUILD / name / "latest/model_repository"
    assert {path.name for path in repository.iterdir()} == {name, "tokenizer", "Graph-1", "post_processing"}
    address = serve_repository(repository).address.http
    ((labels, scores),) = pytorch(models("bert"), ["помогите мне"])
    tensor = '{"name":"input_text","shape":[1,1],"datatype":"BYTES","data":["помогите мне"]}'
    infer = post(f"http://{address}/v2/models/{name}/infer", f'{{"inputs":[{tensor}]}}')
    outputs = {each["name"]: each["data"] for each in infer["outputs"]}
    assert outputs["label"] == labels[:2]
    assert outputs["p"] == pytest.approx(scores[:2], abs=1e-4)
    assert set(outputs) == {"label", "p"}
    with pytest.raises(urllib.error.HTTPError) as refusal:
        post(f"http://{address}/v2/models/{name}/infer", f'{{"inputs":[{tensor.replace("input_text", "text_input")}]}}')
    assert refusal.value.code == 400

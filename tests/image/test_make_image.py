"""make_triton_image.sh on a real engine, the commands of docs/usage.md, and a failed proof that leaves the tag."""

import contextlib
import json
import os
import re
import shutil
import time
import urllib.error
import urllib.request
import uuid

import pytest

from tests.image.conftest import make, run
from utils import ROOT
from utils.host.build_tree import BUILD

USAGE = (ROOT / "docs/usage.md").read_text(encoding="utf-8")


@pytest.fixture
def name(engine):
    """A unique model name; its images and builds are removed afterwards."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    yield name
    engine.client.run("rmi", "--force", f"tritoned_{name}:v1", f"tritoned_{name}:by-hand")
    shutil.rmtree(BUILD / name, ignore_errors=True)
    shutil.rmtree(BUILD / ".unfinished" / name, ignore_errors=True)


@contextlib.contextmanager
def container(engine, *arguments):
    """A detached container with port 8000 published; its HTTP address once it answers."""
    started = engine.client.run("run", "--detach", "-p", "127.0.0.1::8000", *arguments)
    identity = started.stdout.strip()
    try:
        assert started.returncode == 0, started.stderr
        address = engine.client.run("port", identity, "8000").stdout.split()[0]
        deadline = time.monotonic() + 60
        while not answers(f"http://{address}/v2/health/ready"):
            assert time.monotonic() < deadline, engine.client.run("logs", identity)
            time.sleep(0.2)
        yield address
    finally:
        engine.client.run("rm", "--force", identity)


def answers(url):
    with contextlib.suppress(OSError, urllib.error.URLError):
        return urllib.request.urlopen(url, timeout=5).status == 200
    return False


def classify(address, name, text):
    """Sends the documented request with curl."""
    body = '{"inputs":[{"name":"text_input","shape":[1,1],"datatype":"BYTES","data":["%s"]}]}' % text  # noqa: UP031
    done = run("curl", "-sS", "--fail", "-X", "POST", f"http://{address}/v2/models/{name}/infer", "-d", body)
    assert done.returncode == 0, done.stderr
    return {output["name"]: output["data"] for output in json.loads(done.stdout)["outputs"]}


def pytorch(model, text):
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    reference = AutoModelForSequenceClassification.from_pretrained(model)
    with torch.inference_mode():
        scores = reference(**AutoTokenizer.from_pretrained(model)(text, return_tensors="pt")).logits[0].softmax(-1)
    return reference.config.id2label[int(scores.argmax())], float(scores.max())


def image_id(engine, reference):
    return engine.client.run("image", "inspect", "--format", "{{.Id}}", reference).stdout.strip()


def test_build_prints_the_image_which_answers_the_documented_request(engine, bases, model, built):
    name, done = built
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"tritoned_{name}:v1\n"
    assert "golden requests over HTTP and gRPC: answers equal" in done.stderr
    for warning in ("Triton 24.10 lacks security fixes", f"base image {bases[0]} is Triton 24.10"):
        assert warning in done.stderr
    label, score = pytorch(model, "помогите мне")
    with container(engine, f"tritoned_{name}:v1") as address:
        answer = classify(address, name, "помогите мне")
    assert answer["predicts"] == [label]
    assert answer["scores"] == pytest.approx([score], abs=1e-4)
    labels = json.loads(
        engine.client.run("inspect", "--format", "{{json .Config.Labels}}", f"tritoned_{name}:v1").stdout
    )
    assert json.loads(labels["triton-image-factory.labels"]) == ["negative", "neutral", "positive"]
    assert labels["triton-image-factory.model.revision"].startswith("sha256:")
    compose = BUILD / name / "v1/deploy/compose.yaml"
    assert f'image: "tritoned_{name}:v1"' in compose.read_text() and "mem_limit:" in compose.read_text()
    assert f"docker compose -f {compose} up" in done.stderr
    sections = json.loads((BUILD / name / "v1/report.json").read_text(encoding="utf-8"))["sections"]
    (reported,) = sections["size"]["images"]
    assert reported["id"] == image_id(engine, f"tritoned_{name}:v1")
    assert 0 < max(layer["size"] for layer in reported["layers"]) <= reported["size"]
    assert sections["speed"]["ready_seconds"] > 0


def test_wrong_golden_answer_fails_and_leaves_the_tag(engine, built, tmp_path):
    name, _ = built
    before = image_id(engine, f"tritoned_{name}:v1")
    tree = shutil.copytree(BUILD / name / "v1", tmp_path / "tree")
    golden = json.loads((tree / "golden.json").read_text(encoding="utf-8"))
    labels = golden["rows"][0]["outputs"]["predicts"]["data"]
    labels.append(labels.pop(0))  # the best label is last now
    (tree / "golden.json").write_text(json.dumps(golden), encoding="utf-8")
    # Changes the image, so that the tag would move if it were set.
    settings = tree / f"model_repository/{name}/1/settings.json"
    settings.write_text(settings.read_text() + "\n")
    done = run(ROOT / ".venv/bin/python", "-m", "utils.image", tree, env={"PYTHONPATH": str(ROOT)})
    assert done.returncode == 8, done.stderr
    assert "HTTP" in done.stderr.splitlines()[-1] and "last lines of the server's log" in done.stderr
    assert done.stdout == ""
    assert image_id(engine, f"tritoned_{name}:v1") == before
    ours = ("images", "--quiet", "--no-trunc", "--filter", f"label=org.opencontainers.image.title={name}")
    assert set(engine.client.run(*ours).stdout.split()) == {before}, "the failed image is removed"


def test_base_image_alone_is_used_whole_without_its_slim_image(engine, bases, model, name):
    done = make(model, name, bases[:1], "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["image"] == f"tritoned_{name}:v1"
    assert result["image_id"] == image_id(engine, result["image"])
    assert result["release"]["python"] == "3.11", "the Python of the base image, not of the release table"
    if image_id(engine, "debian:12-slim") == "":
        assert "building on the full image" in done.stderr


def test_missing_base_image_is_reported_before_the_conversion(engine, model, name):
    done = make(model, name, ("localhost:1/no/such-image:1",))
    assert done.returncode == 7, done.stderr
    assert "localhost:1/no/such-image:1" in done.stderr and "--base-image" in done.stderr
    assert "convert  " not in done.stderr
    assert not (BUILD / name).exists()


def usage_command(start, name, bases):
    """The code block of docs/usage.md that begins with `start`, with the names of this test."""
    block = next(each for each in re.findall(r"(?ms)^```\w*\n(.*?)^```", USAGE) if each.startswith(start))
    return block.replace("topics", name).replace("nvcr.io/nvidia/tritonserver:26.08-py3", bases[0])


def test_docker_build_by_hand_of_a_finished_tree(engine, bases, model, built):
    name, _ = built
    command = usage_command("docker build", name, bases).replace(":v1 build", ":by-hand build")
    path = {"PATH": f"{engine.client.program.parent}:{os.environ['PATH']}", "DOCKER_BUILDKIT": "1"}
    built = run("bash", "-euc", command, cwd=ROOT, env=path)
    assert built.returncode == 0, built.stderr
    label, _ = pytorch(model, "my money back")
    with container(engine, f"tritoned_{name}:by-hand") as address:
        assert classify(address, name, "my money back")["predicts"] == [label]


def test_repository_mounted_into_the_base_image(engine, bases, model, built):
    name, _ = built
    command = usage_command("docker run --rm -p 127.0.0.1:8000:8000 -e PIP", name, bases)
    arguments = command.replace("docker run --rm -p 127.0.0.1:8000:8000", "printf '%s\\0'")
    split = run("bash", "-euc", arguments, cwd=ROOT).stdout.split("\0")[:-1]
    label, _ = pytorch(model, "my money back")
    with container(engine, *split) as address:
        assert classify(address, name, "my money back")["predicts"] == [label]

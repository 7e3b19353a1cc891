"""clearml: references to artifacts of tasks, to tags, and to models of one file; the real SDK against loopback."""

import json

import pytest
from clearml.utilities.config import config_dict_to_text

from tests.loopback.clearml_server import ClearmlServer
from utils.host.errors import SourceError
from utils.sources.storage import METADATA, SAFE_WEIGHTS, WEIGHTS, bounded, parse_reference

MODEL = "0123456789abcdef0123456789abcdef"
OTHER = "fedcba9876543210fedcba9876543210"
TASK = "00112233445566778899aabbccddeeff"
LIMIT = 40.0
CONFIG = {"model_type": "bert", "id2label": {"0": "no.", "1": "per cent %$ {x}"}, "layer_norm_eps": 1e-12}


@pytest.fixture
def server(model_folder, environment):
    with ClearmlServer({MODEL: model_folder, OTHER: model_folder / "model.safetensors"}) as running:
        environment(running.environment())
        yield running


def _resolve(text):
    return bounded.resolve(parse_reference(text), limit=LIMIT)


def _fetch(text, revision, patterns, folder):
    return bounded.fetch(parse_reference(text), revision, patterns, folder, limit=LIMIT).path


def _refusal(call, *arguments):
    with pytest.raises(SourceError) as caught:
        call(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def _asked_for_files(server):
    return [path for method, path, _ in server.requests if method == "GET" and path.startswith("/files/")]


def test_an_artifact_of_a_task(server, model_folder, tmp_path):
    server.tasks[TASK] = {"best model": MODEL}
    reference = f"clearml:task/{TASK}/best model"
    revision = _resolve(reference)
    assert revision.startswith("sha256:") and not _asked_for_files(server)
    folder = _fetch(reference, revision, METADATA, tmp_path / "out")
    assert (folder / "model.safetensors").read_bytes() == (model_folder / "model.safetensors").read_bytes()
    count = len(server.requests)
    assert _fetch(reference, revision, WEIGHTS, tmp_path / "out") == folder
    assert len(server.requests) == count
    (model_folder / "vocab.txt").write_text("another")
    message = _refusal(_fetch, reference, revision, METADATA, tmp_path / "changed")
    assert f"the file of {reference} is not the one that its digest names ({revision})" in message


def test_an_artifact_or_task_that_does_not_exist(server):
    server.tasks[TASK] = {"model": MODEL, "notes": MODEL}
    assert "has no artifact 'other' with a file; it has model, notes" in _refusal(
        _resolve, f"clearml:task/{TASK}/other"
    )
    assert f"has no task {OTHER!r} (status 400)" in _refusal(_resolve, f"clearml:task/{OTHER}/model")


def test_a_tag_names_one_model(server, tmp_path):
    """A tag that moves is another revision; names are compared whole."""
    server.tagged = [(MODEL, "topics (v2)", ("production",)), (OTHER, "my topics (v2)", ("production",))]
    assert _resolve("clearml:topics (v2)@production") == MODEL
    assert (_fetch("clearml:topics (v2)@production", MODEL, METADATA, tmp_path / "out") / "config.json").is_file()
    assert "has no model named 'topics (v2)' with the tag 'staging'" in _refusal(
        _resolve, "clearml:topics (v2)@staging"
    )
    server.tagged.append((OTHER, "topics (v2)", ("production",)))
    message = _refusal(_resolve, "clearml:topics (v2)@production")
    assert f"has 2 models ({MODEL}, {OTHER}) named 'topics (v2)'" in message and "or use its id" in message


@pytest.mark.long("JSON")
@pytest.mark.parametrize("write", [json.dumps, config_dict_to_text], ids=["JSON", "as the SDK writes a dict"])
def test_weights_with_a_configuration_on_the_server(write, server, model_folder, tmp_path):
    server.designs[OTHER] = write(CONFIG)
    reference = f"clearml:{OTHER}"
    folder = _fetch(reference, _resolve(reference), METADATA, tmp_path / "out")
    assert [path.name for path in folder.iterdir()] == ["config.json"]
    assert json.loads((folder / "config.json").read_text()) == CONFIG
    assert not _asked_for_files(server)
    assert _fetch(reference, OTHER, METADATA + SAFE_WEIGHTS, tmp_path / "out") == folder
    assert (folder / "model.safetensors").read_bytes() == (model_folder / "model.safetensors").read_bytes()


def test_pickled_weights_are_fetched_only_when_they_are_asked_for(server, model_folder, tmp_path):
    server.models[OTHER] = model_folder / "pytorch_model.bin"
    server.designs[OTHER] = json.dumps(CONFIG)
    folder = _fetch(f"clearml:{OTHER}", OTHER, METADATA + SAFE_WEIGHTS, tmp_path / "out")
    assert [path.name for path in folder.iterdir()] == ["config.json"]
    _fetch(f"clearml:{OTHER}", OTHER, METADATA + WEIGHTS, tmp_path / "out")
    assert (folder / "pytorch_model.bin").is_file()


@pytest.mark.long("{not json*")
@pytest.mark.parametrize(
    ("design", "words"),
    [
        ("", "is one file of weights without a configuration; register the model folder as a zip"),
        ("{not json", "cannot be read; set the text of config.json"),
        ("a = [", "cannot be read; set the text of config.json"),
        ('id2label {\n  "0" = "d\\\\u00eda"\n}', "cannot be read; set the text of config.json"),
    ],
)
def test_a_configuration_that_cannot_be_read(design, words, server, tmp_path):
    """The last one is what the SDK writes of some labels; it reads the escape as text."""
    server.designs[OTHER] = design
    assert words in _refusal(_fetch, f"clearml:{OTHER}", OTHER, METADATA, tmp_path / "out")

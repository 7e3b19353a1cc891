"""The real ClearML SDK, in the child process it always runs in, against a server on loopback.

Faults of every server are in test_faults.py.
"""

import contextlib
import io
import json
import tarfile
import time

import pytest

from tests.loopback.clearml_server import ACCESS_KEY, SECRET_KEY, ClearmlServer, zipped
from utils.host.errors import SourceError
from utils.sources.storage import METADATA, STORAGES, WEIGHTS, Row, StorageRef, bounded, parse_reference

MODEL = "0123456789abcdef0123456789abcdef"
REFERENCE = parse_reference(f"clearml:{MODEL}")
LIMIT = 40.0


@pytest.fixture
def server(model_folder, environment):
    with ClearmlServer({MODEL: model_folder}) as running:
        environment(running.environment())
        yield running


def _resolve(text=f"clearml:{MODEL}", limit=LIMIT):
    return bounded.resolve(parse_reference(text), limit=limit)


def _fetch(destination, patterns=METADATA, limit=LIMIT):
    return bounded.fetch(REFERENCE, MODEL, patterns, destination, limit=limit)


def _refusal(call, *arguments, **options):
    with pytest.raises(SourceError) as caught:
        call(*arguments, **options)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_the_revision_is_the_id(server):
    assert _resolve(f"clearml: {MODEL} ") == MODEL
    assert not [path for _, path, _ in server.requests if path.startswith("/files/")]


def test_the_archive_is_fetched_and_extracted_once(server, model_folder, tmp_path, capfd):
    artifact = _fetch(tmp_path / "out")
    assert artifact.revision == MODEL
    for name in ("config.json", "model.safetensors"):
        assert (artifact.path / name).read_bytes() == (model_folder / name).read_bytes()
    assert not (tmp_path / "out" / "cache").exists()

    count = len(server.requests)
    assert _fetch(tmp_path / "out", WEIGHTS) == artifact
    assert len(server.requests) == count
    assert capfd.readouterr() == ("", ""), "the SDK's chatter stays inside"

    (model_folder / "config.json").write_text('{"changed": true}')
    fresh = _fetch(tmp_path / "another").path
    assert (fresh / "config.json").read_text() == '{"changed": true}', "no stale copy from the SDK's own cache"


def test_debug_shows_the_sdks_log(server, tmp_path, environment, capfd):
    environment({"TRITON_FACTORY_DEBUG": "1"})
    server.fault = "no file"
    message = _refusal(_fetch, tmp_path / "out")
    assert f"cannot be downloaded from {server.url}/files/{MODEL}/model.zip" in message
    shown = capfd.readouterr()
    assert shown.out == ""
    assert "Could not download" in shown.err
    assert SECRET_KEY not in shown.err


def test_a_tar_with_its_folder_inside(server, model_folder, tmp_path):
    archive = tmp_path / "model.tar.gz"
    with tarfile.open(archive, "w:gz") as opened:
        opened.add(model_folder, "my_model")
    server.models[MODEL] = archive
    assert (_fetch(tmp_path / "out").path / "config.json").is_file()


def test_a_folder_on_a_shared_disk_is_used_in_place(server, model_folder, tmp_path):
    server.models[MODEL] = f"file://{model_folder}"
    assert (_fetch(tmp_path / "out").path / "config.json").is_file()


def test_a_configuration_file_is_read(server, tmp_path, monkeypatch):
    for name in server.environment():
        monkeypatch.delenv(name)
    configuration = tmp_path / "clearml.conf"
    configuration.write_text(
        f'api {{ api_server: "{server.url}"\n credentials {{ access_key: "{ACCESS_KEY}"\n'
        f' secret_key: "{SECRET_KEY}" }} }}\n'
    )
    monkeypatch.setenv("CLEARML_CONFIG_FILE", str(configuration))
    assert _resolve() == MODEL


def test_a_missing_configuration_is_reported(server, monkeypatch):
    monkeypatch.delenv("CLEARML_API_SECRET_KEY")
    message = _refusal(_resolve)
    assert "ClearML is not configured: CLEARML_API_SECRET_KEY not set and no " in message
    assert "clearml.conf; set the variables, or run clearml-init" in message
    monkeypatch.delenv("CLEARML_API_HOST")
    monkeypatch.delenv("CLEARML_API_ACCESS_KEY")
    assert "CLEARML_API_HOST, CLEARML_API_ACCESS_KEY, CLEARML_API_SECRET_KEY not set" in _refusal(_resolve)


SEVERAL = """
import json, os
from pathlib import Path
from utils.host.errors import SourceError
from utils.sources.storage import clearml

def resolve(locator):
    messages = []
    for variables, model, destination in json.loads(locator):
        os.environ.update(variables)
        try:
            if destination:
                messages.append(str(clearml.fetch(model, model, (), Path(destination))))
            else:
                messages.append(clearml.resolve(model))
        except SourceError as error:
            messages.append(str(error))
    return json.dumps(messages)
"""


def _several(monkeypatch, tmp_path, cases):
    """The results of all cases from one child, because importing the SDK is slow.

    A case is (variables, model id, destination); without a destination it is `resolve`.
    """
    (tmp_path / "several_storage.py").write_text(SEVERAL)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setitem(STORAGES, "several", Row(module="several_storage"))
    monkeypatch.setattr(bounded, "FIRST_ANSWER_SECONDS", LIMIT)  # many answers, not one
    messages = json.loads(bounded.resolve(StorageRef(scheme="several", locator=json.dumps(cases)), limit=LIMIT))
    assert not [text for text in messages if "\n" in text]
    return messages


def test_every_refusal_of_the_api_is_reported(server, model_folder, monkeypatch, tmp_path, capfd):
    server.models.update({"no uri": None, "empty uri": "", "blank uri": "  "})
    healthy = server.environment()
    expected = [
        (
            {**healthy, "CLEARML_API_SECRET_KEY": "a-wrong-secret"},
            MODEL,
            "refuses the ClearML keys; check CLEARML_API_",
        ),
        (healthy, "abc", f"{server.url} has no model 'abc' (status 400)"),
        (healthy, "no uri", f"the model 'no uri' on {server.url} has no file"),
        (healthy, "empty uri", "has no file (no uri); upload its archive first"),
        (healthy, "blank uri", "has no file"),
    ]
    with contextlib.ExitStack() as stack:
        for fault, sentence in {
            "drop after login": "cannot be reached or closes the connection (ConnectionError)",
            "login out of order": "failed (Failed getting token (error 500",
            "forbidden": "does not allow these keys to read the model",
        }.items():
            faulty = stack.enter_context(ClearmlServer({MODEL: model_folder}, fault))
            expected.append((faulty.environment(), MODEL, sentence))
        messages = _several(monkeypatch, tmp_path, [(variables, model, None) for variables, model, _ in expected])
    for text, (_, _, sentence) in zip(messages, expected, strict=True):
        assert sentence in text
    assert "a-wrong-secret" not in "".join([*messages, *capfd.readouterr()])


def _traversing(path):
    with tarfile.open(path, "w") as opened:
        member = tarfile.TarInfo("../../evil.json")
        member.size = 4
        opened.addfile(member, io.BytesIO(b"evil"))
    return path


def test_every_unusable_file_is_reported(server, model_folder, monkeypatch, tmp_path, closed_port):
    corrupt = tmp_path / "model.zip"
    corrupt.write_bytes(zipped(model_folder)[:-100])
    expected = {
        "corrupt": (corrupt, "the archive of clearml:corrupt is damaged or truncated"),
        "traversing": (_traversing(tmp_path / "model.tar"), "has the member '../../evil.json'"),
        "single": (model_folder / "pytorch_model.bin", "clearml:single is one file of weights without a configuration"),
        "absent": ("file:///no/where/model.zip", "cannot be downloaded from file:///no/where/model.zip;"),
        # The rest of the address may be a signature.
        "signed": (f"{server.url}/nowhere/model.zip?signature=x", "/nowhere/model.zip; check that it exists"),
        "dead": (f"http://127.0.0.1:{closed_port}/model.zip?signature=x", f"the file server 127.0.0.1:{closed_port} "),
    }
    server.models.update({model: source for model, (source, _) in expected.items()})
    started = time.monotonic()
    messages = _several(monkeypatch, tmp_path, [({}, model, str(tmp_path / model)) for model in expected])
    assert time.monotonic() - started < 20, "a dead file server is found at once, not after the SDK's retries"
    for text, (_, sentence) in zip(messages, expected.values(), strict=True):
        assert sentence in text
        assert "signature" not in text
    assert not list(tmp_path.rglob("evil.json"))


def test_a_server_that_never_answers_meets_the_limit(server):
    server.fault = "hang after login"
    assert "in 2 seconds" in _refusal(_resolve, limit=2)


def test_a_connection_lost_later_meets_the_limit(server, tmp_path):
    """The SDK itself repeats a failed request forever."""
    server.fault = "drop on the second look-up"
    message = _refusal(_fetch, tmp_path / "out", limit=10)
    assert f"clearml:{MODEL} in 10 seconds" in message
    assert "--fetch-timeout SECONDS" in message
    assert server.look_ups > 1


IMPATIENT = """
from utils.sources.storage import clearml
from utils.sources.storage.clearml import fetch, resolve

clearml._FIRST_BYTE_SECONDS = 0.5
"""


def test_a_silent_file_server_is_reported_at_once(server, tmp_path, monkeypatch):
    (tmp_path / "impatient_clearml.py").write_text(IMPATIENT)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setitem(STORAGES, "clearml", Row(module="impatient_clearml"))
    server.fault = "hang on files"
    message = _refusal(_fetch, tmp_path / "out")
    assert f"the file server {server.url.removeprefix('http://')} accepts connections and does not answer" in message


@pytest.mark.parametrize("name", ["detection.onnx", "east.pb"])
def test_a_ready_graph_is_a_single_file(environment, tmp_path, name):
    (tmp_path / name).write_bytes(b"a graph")
    with ClearmlServer({MODEL: tmp_path / name}) as running:
        environment(running.environment())
        folder = _fetch(tmp_path / "out", ("*.onnx", "*.pb")).path
        assert [(file.name, file.read_bytes()) for file in folder.iterdir()] == [(name, b"a graph")]
        assert _fetch(tmp_path / "out", ("*.onnx", "*.pb")).path == folder

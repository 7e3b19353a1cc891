"""The real ClearML SDK, in the child process it always runs in, against a server on loopback."""

import io
import tarfile
import time

import pytest

from tests.loopback.clearml_server import ACCESS_KEY, FAULTS, SECRET_KEY, ClearmlServer, zipped
from utils.errors import SourceError
from utils.storage import METADATA, WEIGHTS, bounded, parse_reference

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
    assert _resolve() == MODEL
    assert _resolve(f"clearml: {MODEL} ") == MODEL


def test_the_archive_is_opened_and_fetched_once(server, model_folder, tmp_path, capfd):
    artifact = _fetch(tmp_path / "out")
    assert artifact.revision == MODEL
    for name in ("config.json", "model.safetensors"):
        assert (artifact.path / name).read_bytes() == (model_folder / name).read_bytes()
    assert not (tmp_path / "out" / "cache").exists()

    asked = len(server.requests)
    assert _fetch(tmp_path / "out", WEIGHTS) == artifact
    assert len(server.requests) == asked
    assert capfd.readouterr() == ("", ""), "the SDK's chatter stays inside"


def test_another_destination_never_meets_a_stale_copy(server, model_folder, tmp_path):
    _fetch(tmp_path / "first")
    (model_folder / "config.json").write_text('{"changed": true}')
    assert (_fetch(tmp_path / "second").path / "config.json").read_text() == '{"changed": true}'


def test_debug_shows_the_sdks_log(server, tmp_path, environment, capfd):
    environment({"TRITON_FACTORY_DEBUG": "1"})
    server.fault = "no file"
    _refusal(_fetch, tmp_path / "out")
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


def test_a_folder_on_a_shared_disk_is_used_where_it_lies(server, model_folder, tmp_path):
    server.models[MODEL] = f"file://{model_folder}"
    assert (_fetch(tmp_path / "out").path / "config.json").is_file()


def test_a_configuration_file_serves_as_well(server, tmp_path, monkeypatch):
    for name in server.environment():
        monkeypatch.delenv(name)
    configuration = tmp_path / "clearml.conf"
    configuration.write_text(
        f'api {{ api_server: "{server.url}"\n credentials {{ access_key: "{ACCESS_KEY}"\n'
        f' secret_key: "{SECRET_KEY}" }} }}\n'
    )
    monkeypatch.setenv("CLEARML_CONFIG_FILE", str(configuration))
    assert _resolve() == MODEL


def test_no_configuration_names_what_is_missing(server, monkeypatch):
    monkeypatch.delenv("CLEARML_API_SECRET_KEY")
    message = _refusal(_resolve)
    assert "ClearML is not configured: CLEARML_API_SECRET_KEY not set and no " in message
    assert "clearml.conf; set the variables, or run clearml-init" in message
    monkeypatch.delenv("CLEARML_API_HOST")
    monkeypatch.delenv("CLEARML_API_ACCESS_KEY")
    assert "CLEARML_API_HOST, CLEARML_API_ACCESS_KEY, CLEARML_API_SECRET_KEY not set" in _refusal(_resolve)


def test_a_refused_connection(environment, closed_port, server):
    environment({"CLEARML_API_HOST": f"http://127.0.0.1:{closed_port}"})
    message = _refusal(_resolve)
    assert f"the ClearML server http://127.0.0.1:{closed_port} cannot be reached" in message


def test_wrong_credentials_are_not_repeated_in_the_message(server, environment, capfd):
    environment({"CLEARML_API_SECRET_KEY": "a-wrong-secret-key"})
    message = _refusal(_resolve)
    assert "refuses the ClearML keys; check CLEARML_API_ACCESS_KEY and CLEARML_API_SECRET_KEY" in message
    assert "a-wrong-secret-key" not in message + "".join(capfd.readouterr())


def test_an_unknown_id(server):
    assert f"{server.url} knows no model 'abc' (answer 400)" in _refusal(_resolve, "clearml:abc")


@pytest.mark.parametrize("uri", [None, "", "  "])
def test_no_uri(server, uri):
    server.models[MODEL] = uri
    assert f"the model {MODEL!r} on {server.url} has no file" in _refusal(_resolve)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("drop after login", "cannot be reached or breaks off (ConnectionError)"),
        ("no api", "is no ClearML API server; set CLEARML_API_HOST"),
        ("login out of order", "does not log in (Failed getting token (error 500"),
        ("forbidden", "does not let these keys read the model"),
    ],
)
def test_each_refusal_has_its_sentence(server, fault, said):
    server.fault = fault
    assert said in _refusal(_resolve)


@pytest.mark.parametrize("fault", ["no file", "half a file"])
def test_a_download_that_fails(server, tmp_path, fault):
    server.fault = fault
    message = _refusal(_fetch, tmp_path / "out")
    assert f"the file of model {MODEL!r} cannot be downloaded from {server.url}/files/{MODEL}/model.zip" in message


def test_a_dead_file_server_is_found_at_once(server, tmp_path, closed_port):
    server.models[MODEL] = f"http://127.0.0.1:{closed_port}/model.zip?signature=secret"
    started = time.monotonic()
    message = _refusal(_fetch, tmp_path / "out")
    assert f"the file server 127.0.0.1:{closed_port} cannot be reached (ConnectionRefusedError)" in message
    assert time.monotonic() - started < 10


def test_a_signature_in_the_address_is_not_shown(server, tmp_path):
    server.models[MODEL] = f"{server.url}/nowhere/model.zip?signature=secret"
    message = _refusal(_fetch, tmp_path / "out")
    assert "/nowhere/model.zip;" in message
    assert "signature" not in message


def test_a_file_that_is_not_on_this_disk(server, tmp_path):
    server.models[MODEL] = "file:///no/where/model.zip"
    assert "cannot be downloaded from file:///no/where/model.zip" in _refusal(_fetch, tmp_path / "out")


def test_a_corrupt_archive(server, model_folder, tmp_path):
    archive = tmp_path / "model.zip"
    archive.write_bytes(zipped(model_folder)[:-100])
    server.models[MODEL] = archive
    assert f"the archive of clearml:{MODEL} is damaged or cut short" in _refusal(_fetch, tmp_path / "out")


def test_a_traversing_archive(server, tmp_path):
    archive = tmp_path / "model.tar"
    with tarfile.open(archive, "w") as opened:
        member = tarfile.TarInfo("../../evil.json")
        member.size = 4
        opened.addfile(member, io.BytesIO(b"evil"))
    server.models[MODEL] = archive
    assert "has the member '../../evil.json', which leads out" in _refusal(_fetch, tmp_path / "out")
    assert not list(tmp_path.rglob("evil.json"))


def test_a_single_file(server, model_folder, tmp_path):
    server.models[MODEL] = model_folder / "pytorch_model.bin"
    assert "is a single file" in _refusal(_fetch, tmp_path / "out")


@pytest.mark.parametrize("fault", ["hang", "hang after login"])
def test_a_server_that_never_answers_meets_the_limit(server, fault):
    server.fault = fault
    assert "was not there after 2 seconds" in _refusal(_resolve, limit=2)


def test_a_connection_lost_later_meets_the_limit(server, tmp_path):
    """The SDK itself repeats a failed look-up for ever."""
    server.fault = "drop on the second look-up"
    message = _refusal(_fetch, tmp_path / "out", limit=4)
    assert f"clearml:{MODEL} was not there after 4 seconds" in message
    assert "--fetch-timeout SECONDS" in message
    assert server.look_ups > 1


def test_after_a_failure_the_same_destination_serves_again(server, tmp_path):
    server.fault = "half a file"
    _refusal(_fetch, tmp_path / "out")
    server.fault = None
    assert (_fetch(tmp_path / "out").path / "config.json").is_file()


def test_every_fault_of_the_loopback_server_is_tested():
    tested = ["hang", "hang after login", "drop after login", "drop on the second look-up", "no api"]
    tested += ["login out of order", "forbidden", "no file", "half a file"]
    assert sorted(tested) == sorted(FAULTS)

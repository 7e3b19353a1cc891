"""The real Hugging Face client, in the child process it always runs in, against a hub on loopback.

Faults of every server are in test_faults.py.
"""

import shutil

import pytest

from tests.loopback.hub import HubServer
from utils.host.errors import SourceError
from utils.sources.storage import METADATA, WEIGHTS, bounded, hf, parse_reference

NAME = "user/name"
REFERENCE = parse_reference(f"hf:{NAME}")
TOKEN = "hf_TheTokenThatMustNeverBePrinted"
LIMIT = 30.0


@pytest.fixture
def hub(model_folder, tmp_path, environment):
    with HubServer({NAME: model_folder}) as server:
        environment(server.environment(tmp_path / "cache"))
        yield server


@pytest.fixture
def second_folder(model_folder, tmp_path):
    folder = tmp_path / "second"
    shutil.copytree(model_folder, folder)
    (folder / "config.json").write_text('{"second": true}')
    return folder


def _resolve(text=f"hf:{NAME}"):
    return bounded.resolve(parse_reference(text), limit=LIMIT)


def _fetch(patterns, destination, text=f"hf:{NAME}", revision=None):
    revision = revision or _resolve(text)
    return bounded.fetch(parse_reference(text), revision, patterns, destination, limit=LIMIT)


def _refusal(call, *arguments):
    with pytest.raises(SourceError) as caught:
        call(*arguments)
    message = str(caught.value)
    assert "\n" not in message
    assert "Traceback" not in message
    return message


def test_the_revision_is_the_commit(hub):
    assert _resolve() == hub.commit(NAME)
    assert not [path for _, path, _ in hub.requests if "/resolve/" in path], "no file is fetched for it"


def test_branches_tags_and_commits(model_folder, second_folder, tmp_path, environment):
    with HubServer({NAME: model_folder, f"{NAME}@v1.0": second_folder, f"{NAME}@a/branch": second_folder}) as hub:
        environment(hub.environment(tmp_path / "cache"))
        commit = hub.commit(f"{NAME}@v1.0")
        assert commit != hub.commit(NAME)
        for revision in ("v1.0", "a/branch", commit):
            assert _resolve(f"hf:{NAME}@{revision}") == commit
        artifact = _fetch(METADATA, tmp_path / "out", f"hf:{NAME}@v1.0")
        assert artifact.revision == commit
        assert (artifact.path / "config.json").read_text() == '{"second": true}'


def test_the_resolved_commit_is_fetched_even_if_the_branch_moves(hub, second_folder, tmp_path):
    before = _resolve()
    with HubServer({NAME: second_folder}) as moved:
        hub._commits[NAME, "main"] = moved.commit(NAME)
    assert "second" not in (_fetch(METADATA, tmp_path / "out", revision=before).path / "config.json").read_text()


def test_metadata_is_fetched_without_weights(hub, tmp_path):
    folder = _fetch(METADATA, tmp_path / "out").path
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "vocab.txt"]


def test_safetensors_are_fetched_instead_of_pickles(hub, model_folder, tmp_path):
    _fetch(METADATA, tmp_path / "out")
    folder = _fetch(WEIGHTS, tmp_path / "out").path
    assert (folder / "model.safetensors").read_bytes() == (model_folder / "model.safetensors").read_bytes()
    assert not (folder / "pytorch_model.bin").exists()
    assert not (folder / "onnx").exists(), "top level only"


def test_pickles_are_fetched_if_there_are_no_other_weights(model_folder, tmp_path, environment):
    (model_folder / "model.safetensors").unlink()
    with HubServer({NAME: model_folder}) as hub:
        environment(hub.environment(tmp_path / "cache"))
        assert (_fetch(WEIGHTS, tmp_path / "out").path / "pytorch_model.bin").is_file()


def test_no_match_returns_an_empty_folder(hub, tmp_path):
    assert list(_fetch(("*.onnx",), tmp_path / "out").path.iterdir()) == []


def test_the_cache_is_used_unless_disabled(hub, tmp_path, environment):
    def downloads():
        return len([path for method, path, _ in hub.requests if method == "GET" and "/resolve/" in path])

    _fetch(METADATA, tmp_path / "out")
    assert downloads() == 2
    _fetch(METADATA, tmp_path / "out")
    assert downloads() == 2
    environment({"TRITON_FACTORY_NO_CACHE": "1"})
    _fetch(METADATA, tmp_path / "out")
    assert downloads() == 4


def test_the_cache_is_used_offline(hub, model_folder, tmp_path, environment):
    commit = _fetch(METADATA, tmp_path / "out").revision
    count = len(hub.requests)
    environment({"HF_HUB_OFFLINE": "1"})
    assert _resolve() == commit
    assert (_fetch(METADATA, tmp_path / "out").path / "vocab.txt").is_file()
    assert _resolve(f"hf:{NAME}@{commit}") == commit
    assert len(hub.requests) == count
    assert "is not in the cache and HF_HUB_OFFLINE is set" in _refusal(_resolve, "hf:user/other")
    assert "is not in the cache and HF_HUB_OFFLINE is set" in _refusal(_resolve, f"hf:{NAME}@v9")
    assert "without any *.safetensors" in _refusal(_fetch, WEIGHTS, tmp_path / "out")


def test_an_unreachable_hub_is_reported_despite_the_cache(hub, tmp_path, environment, closed_port):
    commit = _fetch(METADATA, tmp_path / "out").revision
    environment({"HF_ENDPOINT": f"http://127.0.0.1:{closed_port}"})
    for call in (_resolve, lambda: _fetch(WEIGHTS, tmp_path / "out", revision=commit)):
        assert f"127.0.0.1:{closed_port} cannot be reached for hf:user/name" in _refusal(call)


@pytest.mark.parametrize(
    "locator",
    ["user/", "/name", "a b/c", "a/b/c", "../x/y", "user/a--b", "user/name@", "user/name@../x", "user/name@a b", "é/x"],
)
def test_a_malformed_locator(locator):
    assert "is not a repository; write hf:user/name" in _refusal(hf.resolve, locator)


def test_a_missing_repository(hub, environment):
    assert f"{hub.url} has no repository 'user/nothing'" in _refusal(_resolve, "hf:user/nothing")
    assert "HF_TOKEN is not set now" in _refusal(_resolve, "hf:user/nothing")
    environment({"HF_TOKEN": TOKEN})
    assert "HF_TOKEN was refused now" in _refusal(_resolve, "hf:user/nothing")


def test_a_missing_revision(hub):
    assert f"'user/name' has no revision 'v9' on {hub.url}" in _refusal(_resolve, f"hf:{NAME}@v9")


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("gated", "hf:user/name is gated: request access on"),
        ("missing credentials", "refuses hf:user/name (401); set HF_TOKEN"),
        ("bad token", "refuses hf:user/name (401); set HF_TOKEN"),
        ("forbidden", "refuses hf:user/name (403); set HF_TOKEN"),
        ("teapot", "answered 418 for hf:user/name"),
    ],
)
def test_each_refusal_is_reported(hub, monkeypatch, fault, expected):
    # In this process, for speed; the client reads the variable at import, so the constant is set.
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", hub.url)
    hub.fault = fault
    assert expected in _refusal(hf.resolve, NAME)


def test_an_invalid_address(environment):
    environment({"HF_ENDPOINT": "hub.example"})
    assert "for hf:user/name is not a hub's (MissingSchema); check HF_ENDPOINT" in _refusal(_resolve)


@pytest.mark.parametrize("fault", [None, "gated", "half a file"])
def test_the_token_is_sent_and_never_printed(hub, tmp_path, environment, capfd, fault):
    """With --debug, which prints most."""
    login = "someone:the-password-in-the-address"
    environment({"HF_TOKEN": TOKEN, "TRITON_FACTORY_DEBUG": "1"})
    environment({"HF_ENDPOINT": hub.url if fault == "half a file" else hub.url.replace("://", f"://{login}@")})
    hub.fault = fault
    message = ""
    try:
        _fetch(METADATA, tmp_path / "out")
    except SourceError as error:
        message = str(error)
    assert bool(message) == bool(fault)
    if fault == "half a file":
        assert hub.requests[0][2] == f"Bearer {TOKEN}"
    shown = message + "".join(capfd.readouterr())
    assert TOKEN not in shown
    assert "the-password-in-the-address" not in shown


def test_a_token_from_the_clients_own_file_is_not_printed(hub, tmp_path, environment, capfd):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "token").write_text(TOKEN)
    environment({"TRITON_FACTORY_DEBUG": "1"})
    hub.fault = "bad token"
    message = _refusal(_resolve)
    assert hub.requests[0][2] == f"Bearer {TOKEN}"
    assert TOKEN not in message + "".join(capfd.readouterr())


def test_nothing_is_printed_without_a_terminal(hub, tmp_path, capfd):
    _fetch(METADATA + WEIGHTS, tmp_path / "out")
    assert capfd.readouterr() == ("", "")

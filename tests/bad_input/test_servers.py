"""Servers that refuse, hang, disconnect or return unusable files; real clients, in their child processes."""

import contextlib
import io
import json
import socket
import tarfile
import time

import pytest

from tests.bad_input.test_files import only_pickled, without_shard
from tests.loopback.clearml_server import ClearmlServer, zipped
from tests.loopback.hub import HubServer

REPOSITORY = "hf:user/topics"
MODEL = "0123456789abcdef0123456789abcdef"
LONGEST = 45.0  # on a busy machine; a hanging server is abandoned after --fetch-timeout, 3 seconds here


@pytest.fixture
def closed_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def bounded(refused):
    def run(*arguments, **options):
        started = time.monotonic()
        message = refused(*arguments, **options)
        assert time.monotonic() - started < LONGEST
        return message

    return run


@contextlib.contextmanager
def serving(server, monkeypatch, environment):
    with server:
        for name, value in environment(server).items():
            monkeypatch.setenv(name, value)
        yield server


def hub(damaged, monkeypatch, fault=None):
    server = HubServer({"user/topics": damaged.model}, fault)
    return serving(server, monkeypatch, lambda one: one.environment(damaged.folder / "cache"))


def weights_asked_for(server):
    return [path for method, path, _ in server.requests if path.endswith((".safetensors", ".bin")) and method == "GET"]


# fault of the hub, options, words
HUB = {
    "gated": ("gated", [], ["hf:user/topics is gated", "request access", "HF_TOKEN"]),
    "token refused": ("bad token", [], ["refuses hf:user/topics (401)", "set HF_TOKEN"]),
    "forbidden": ("forbidden", [], ["refuses hf:user/topics (403)"]),
    "rate limited": ("rate limit", [], ["limits the rate of requests (429)", "wait a few minutes"]),
    "out of order": ("out of order", [], ["status 500", "again later"]),
    "no hub": ("no hub", [], ["is not a hub's", "HF_ENDPOINT"]),
    "hanging": ("hang", ["--fetch-timeout", "3"], ["hf:user/topics in 3 seconds", "--fetch-timeout"]),
    "slow files": ("hang on files", ["--fetch-timeout", "4"], ["hf:user/topics in 4 seconds"]),
    "half a file": ("half a file", [], ["downloading a file of hf:user/topics", "again"]),
}


@pytest.mark.parametrize("case", HUB)
def test_a_hub_that_fails(case, damaged, bounded, monkeypatch):
    fault, options, words = HUB[case]
    with hub(damaged, monkeypatch, fault) as server:
        bounded([REPOSITORY, REPOSITORY, "-", *options], 3, words)
        assert not weights_asked_for(server)


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("hf:user/other", ["has no repository 'user/other'", "check the name"]),
        ("hf:user/topics@v9", ["has no revision 'v9'", "branches, tags or commits"]),
    ],
)
def test_a_missing_reference_on_the_hub(reference, words, damaged, bounded, monkeypatch):
    with hub(damaged, monkeypatch):
        bounded([reference, REPOSITORY, "-"], 3, words)


def test_an_unreachable_hub(damaged, bounded, monkeypatch, closed_port):
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{closed_port}")
    monkeypatch.setenv("HF_HOME", str(damaged.folder / "cache"))
    bounded([REPOSITORY, damaged.model, "-"], 3, ["cannot be reached for hf:user/topics", "check the network"])


# damage to the repository, words, and whether it is reported before weights are fetched
REPOSITORIES = {
    "pickled weights only": (only_pickled, ["has no weights", "--allow-pickle"], True),
    "code of its own": (
        lambda case: case.edit("config.json", auto_map={"AutoModel": "x.Y"}),
        ["auto_map", "no custom code"],
        True,
    ),
    "a shard missing": (without_shard, ["model-00002-of-00002.safetensors", "is missing"], False),
    "no head, by the index": (
        lambda case: (case.keep_tensors(lambda name: not name.startswith("classifier")), case.shard()),
        ["no classification head"],
        True,
    ),
    "no head, by the weights": (
        lambda case: case.keep_tensors(lambda name: not name.startswith("classifier")),
        ["no classification head"],
        False,
    ),
    "too small a vocabulary": (lambda case: case.edit("config.json", vocab_size=7), ["has only 7 tokens"], True),
    "weights cut short": (
        lambda case: case.write("model.safetensors", case.file("model.safetensors").read_bytes()[:-9]),
        ["model.safetensors", "bytes"],
        False,
    ),
}


@pytest.mark.parametrize("case", REPOSITORIES)
def test_an_unusable_repository(case, damaged, bounded, monkeypatch):
    damage, words, before_weights = REPOSITORIES[case]
    damage(damaged)
    with hub(damaged, monkeypatch) as server:
        bounded([REPOSITORY, REPOSITORY, "-"], 3, words)
        assert not (before_weights and weights_asked_for(server))
        assert not [path for path in weights_asked_for(server) if path.endswith(".bin")]


def corrupt(case):
    file = case.folder / "corrupt.zip"
    file.write_bytes(zipped(case.model)[:-100])
    return file


def traversing(case):
    file = case.folder / "traversing.tar"
    with tarfile.open(file, "w") as opened:
        member = tarfile.TarInfo("../../evil.json")
        member.size = 4
        opened.addfile(member, io.BytesIO(b"evil"))
    return file


def single_file(case):
    return case.file("model.safetensors")


def without_config(case):
    case.remove("config.json")
    return case.model


# fault of the server, what it has under the id, options, words
CLEARML = {
    "hanging": ("hang", None, ["--fetch-timeout", "3"], ["in 3 seconds"]),
    "hanging after login": ("hang after login", None, ["--fetch-timeout", "6"], ["in 6 seconds"]),
    "dropping after login": (
        "drop after login",
        None,
        [],
        ["cannot be reached or closes the connection", "CLEARML_API_HOST"],
    ),
    "no API": ("no api", None, [], ["is not a ClearML API server"]),
    "forbidden": ("forbidden", None, [], ["does not allow these keys to read the model"]),
    "a file that is gone": ("no file", None, [], ["cannot be downloaded"]),
    "half a file": ("half a file", None, ["--fetch-timeout", "20"], [f"{MODEL}"]),
    "a corrupt archive": (None, corrupt, [], ["the archive of clearml:", "damaged or truncated"]),
    "a traversing archive": (None, traversing, [], ["'../../evil.json'", "evil.json"]),
    "no archive": (None, single_file, [], ["is one file of weights", "register the model folder as a zip"]),
    "no model in it": (None, without_config, [], ["has no config.json"]),
}


@pytest.mark.long("hanging after login", "a traversing archive", "no model in it")
@pytest.mark.parametrize("case", CLEARML)
def test_a_clearml_server_that_fails(case, damaged, bounded, monkeypatch):
    fault, content, options, words = CLEARML[case]
    server = ClearmlServer({MODEL: content(damaged) if content else damaged.model}, fault)
    with serving(server, monkeypatch, ClearmlServer.environment):
        bounded([f"clearml:{MODEL}", f"clearml:{MODEL}", "-", *options], 3, words)
    assert not list(damaged.folder.rglob("evil.json"))


def test_wrong_clearml_keys_are_not_printed(damaged, bounded, monkeypatch):
    with serving(ClearmlServer({MODEL: damaged.model}), monkeypatch, ClearmlServer.environment):
        monkeypatch.setenv("CLEARML_API_SECRET_KEY", "a-wrong-secret")
        message = bounded([f"clearml:{MODEL}", damaged.model, "-"], 3, ["refuses the ClearML keys"])
    assert "a-wrong-secret" not in message


def test_clearml_without_configuration(damaged, bounded):
    bounded([f"clearml:{MODEL}", damaged.model, "-"], 3, ["ClearML is not configured", "clearml-init"])


def test_a_missing_clearml_model(damaged, bounded, monkeypatch):
    with serving(ClearmlServer({MODEL: damaged.model}), monkeypatch, ClearmlServer.environment):
        bounded(["clearml:abc", damaged.model, "-"], 3, ["has no model 'abc'", "copy the id"])


def test_an_unreachable_s3_server(damaged, bounded, monkeypatch, closed_port):
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{closed_port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "someone")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-secret-of-someone")
    message = bounded(["s3://bucket/topics", damaged.model, "-"], 3, ["cannot be reached", "AWS_ENDPOINT_URL"])
    assert "a-secret" not in message


def test_local_errors_are_reported_before_any_request(damaged, bounded, monkeypatch):
    damaged.write("tokenizer_config.json", json.dumps({"auto_map": {"AutoTokenizer": "x"}}))
    with hub(damaged, monkeypatch, "hang") as server:
        bounded([REPOSITORY, damaged.model, "-"], 3, ["auto_map in tokenizer_config.json"])
        assert not server.requests

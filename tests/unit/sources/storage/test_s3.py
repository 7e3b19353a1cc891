"""s3fs against moto's S3 server on loopback. Faults of every server are in test_faults.py."""

import re

import boto3
import pytest
from moto.server import ThreadedMotoServer

from utils.host.errors import SourceError
from utils.sources.storage import METADATA, WEIGHTS, bounded, parse_reference, s3

REFERENCE = parse_reference("s3://models/team/sentiment")
LIMIT = 30.0


@pytest.fixture(scope="module")
def endpoint():
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    yield f"http://127.0.0.1:{server.get_host_and_port()[1]}"
    server.stop()


@pytest.fixture
def client(endpoint, environment, model_folder):
    environment(
        {
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ACCESS_KEY_ID": "loopback-key-id",
            "AWS_SECRET_ACCESS_KEY": "loopback-secret-key",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": "127.0.0.1",
        }
    )
    made = boto3.client("s3")
    made.create_bucket(Bucket="models")
    for path in model_folder.rglob("*"):
        if path.is_file():
            made.put_object(
                Bucket="models", Key=f"team/sentiment/{path.relative_to(model_folder)}", Body=path.read_bytes()
            )
    return made


def _refusal(call, *arguments):
    with pytest.raises(SourceError) as caught:
        call(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def _resolve(text="s3:models/team/sentiment"):
    return bounded.resolve(parse_reference(text), limit=LIMIT)


def test_the_revision_follows_the_objects(client):
    revision = _resolve()
    assert re.fullmatch(r"etag:[0-9a-f]{16}", revision)
    assert _resolve("s3://models/team/sentiment/") == revision
    client.put_object(Bucket="models", Key="team/sentiment/config.json", Body=b"{}")
    assert _resolve() != revision


def test_only_matching_objects_are_fetched(client, model_folder, tmp_path):
    revision = _resolve()
    artifact = bounded.fetch(REFERENCE, revision, METADATA, tmp_path / "out", limit=LIMIT)
    assert sorted(path.name for path in artifact.path.iterdir()) == ["config.json", "vocab.txt"]
    bounded.fetch(REFERENCE, revision, WEIGHTS, tmp_path / "out", limit=LIMIT)
    weights = (tmp_path / "out" / "model.safetensors").read_bytes()
    assert weights == (model_folder / "model.safetensors").read_bytes()


@pytest.mark.parametrize("text", ["s3:models/nothing/here", "s3:no-such-bucket/x"])
def test_a_missing_bucket_or_prefix(client, text):
    message = _refusal(_resolve, text)
    assert f"{text} does not exist" in message or f"{text} has no objects" in message


def test_no_credentials(client, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert "no AWS credentials for s3:models/team/sentiment; set AWS_ACCESS_KEY_ID" in _refusal(_resolve)


def test_a_missing_package(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "s3fs", None)
    assert "needs the package s3fs; install it with: pip install s3fs" in _refusal(s3.resolve, "models/x")

"""requests against a server with TLS on loopback. Faults of every server are in test_faults.py."""

import hashlib
import io
import tarfile

import pytest

from tests.certificates import Authority
from tests.loopback.clearml_server import zipped
from tests.loopback.faulty import FaultyProxy
from tests.loopback.https_files import FileServer
from utils.host.errors import SourceError
from utils.sources.storage import METADATA, WEIGHTS, StorageRef, bounded, https, parse_reference

LIMIT = 30.0
NONE = "0" * 64


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority") / "ca")


@pytest.fixture
def server(authority):
    with FileServer({}) as files, FaultyProxy(files.url, files="/.*", certificate=authority.sign("server")) as proxy:
        files.address = proxy.url
        yield files


@pytest.fixture
def trusted(authority, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.folder / "ca.pem"))


def _reference(server, path, content=b"", query=""):
    return parse_reference(f"{server.address}{path}{query}#sha256={hashlib.sha256(content).hexdigest()}")


def _fetch(reference, folder, patterns=METADATA + WEIGHTS):
    return bounded.fetch(reference, bounded.resolve(reference, limit=LIMIT), patterns, folder, limit=LIMIT).path


def _refusal(call, *arguments):
    with pytest.raises(SourceError) as caught:
        call(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def _tar(folder):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        archive.add(folder, "a_folder")
    return buffer.getvalue()


@pytest.mark.parametrize(("path", "packed"), [("/m.zip", zipped), ("/m.tar.gz", _tar), ("/m.tgz", _tar), ("/3", _tar)])
def test_an_archive_is_fetched_checked_and_extracted_once(server, trusted, model_folder, tmp_path, path, packed):
    content = server.contents[path] = packed(model_folder)
    reference = _reference(server, path, content)
    assert bounded.resolve(reference, limit=LIMIT) == f"sha256:{hashlib.sha256(content).hexdigest()}"
    assert server.requests == []
    folder = _fetch(reference, tmp_path / "out", METADATA)
    assert (folder / "model.safetensors").read_bytes() == (model_folder / "model.safetensors").read_bytes()
    assert _fetch(reference, tmp_path / "out", WEIGHTS) == folder
    assert len(server.requests) == 1
    assert not (tmp_path / "out" / "download").exists()


@pytest.mark.parametrize("name", ["detection.onnx", "id2label.json"])
def test_a_single_file_keeps_its_name(server, trusted, tmp_path, name):
    server.contents[f"/{name}"] = b"{}"
    reference = _reference(server, f"/{name}", b"{}", "?version=3")
    assert reference.suffix == f".{name.partition('.')[2]}"
    folder = _fetch(reference, tmp_path / "out")
    assert [(file.name, file.read_bytes()) for file in folder.iterdir()] == [(name, b"{}")]


def test_the_query_is_sent_and_not_shown(server, trusted, tmp_path):
    server.contents["/a.json"] = b"{}"
    reference = _reference(server, "/a.json", b"{}", "?X-Amz-Signature=abcdef")
    assert "Signature" not in str(reference)
    assert str(reference).startswith(f"{server.address}/a.json#sha256=")
    _fetch(reference, tmp_path / "out")
    assert server.requests[0][1] == "/a.json?X-Amz-Signature=abcdef"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://host/a.zip", "https://host/a.zip has no digest; write https://host/a.zip#sha256=HEX with the 64"),
        ("https://host/a.zip#sha256=12", "that `sha256sum FILE` prints"),
        (f"https://me:word@host/a.zip#sha256={NONE}", "https://host/a.zip must not contain a login; write it to ~/"),
        (f"https:///a.zip#sha256={NONE}", "is not an address; write https://host/path/model.tar.gz#sha256=HEX"),
        (f"https:a.zip#sha256={NONE}", "is not an address"),
    ],
)
def test_a_malformed_reference(text, expected):
    message = _refusal(https.resolve, parse_reference(text).locator)
    assert expected in message
    assert "word" not in message


def test_an_address_without_tls_names_https():
    with pytest.raises(Exception, match=r"known storages are .*https:") as caught:
        parse_reference("http://host/model.zip")
    assert caught.value.exit_code == 2


def test_another_content_is_refused(server, trusted, tmp_path):
    server.contents["/a.json"] = b"[1]"
    message = _refusal(_fetch, _reference(server, "/a.json", b"{}"), tmp_path / "out")
    assert f"a.json has the digest sha256={hashlib.sha256(b'[1]').hexdigest()} (3 bytes), not sha256=" in message
    assert "if the file was replaced on purpose, write its new digest" in message


def test_redirects_are_followed_to_tls_only(server, trusted, tmp_path):
    server.contents["/a.json"] = b"{}"
    server.redirects = {"/moved.json": f"{server.address}/a.json", "/plain.json": f"{server.url}/a.json"}
    assert _fetch(_reference(server, "/moved.json", b"{}"), tmp_path / "moved").is_dir()
    message = _refusal(_fetch, _reference(server, "/plain.json", b"{}"), tmp_path / "plain")
    assert "plain.json redirects to an address without TLS" in message


def test_a_redirect_without_end(server, trusted, tmp_path):
    server.redirects = {"/a.json": f"{server.address}/a.json"}
    message = _refusal(_fetch, _reference(server, "/a.json"), tmp_path / "out")
    assert "a.json cannot be requested; check the address (TooManyRedirects)" in message


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
def test_a_certificate_is_trusted_by_either_variable(server, authority, tmp_path, monkeypatch, variable):
    server.contents["/a.json"] = b"{}"
    reference = _reference(server, "/a.json", b"{}")
    assert "has a certificate that is not trusted; set SSL_CERT_FILE" in _refusal(_fetch, reference, tmp_path / "out")
    monkeypatch.setenv(variable, str(authority.folder / "ca.pem"))
    assert _fetch(reference, tmp_path / "out").is_dir()


def test_a_file_of_certificates_that_does_not_exist(server, tmp_path, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    message = _refusal(_fetch, _reference(server, "/a.json"), tmp_path / "out")
    assert "a.json cannot be downloaded (" in message and "check SSL_CERT_FILE" in message


def test_a_proxy_that_cannot_be_reached(tmp_path, environment, closed_port):
    environment({"HTTPS_PROXY": f"http://127.0.0.1:{closed_port}"})
    reference = parse_reference(f"https://models.invalid/a.json#sha256={NONE}")
    message = _refusal(_fetch, reference, tmp_path / "out")
    assert "https://models.invalid/a.json cannot be reached through the proxy; check HTTPS_PROXY" in message


def test_this_machine_is_reached_without_the_proxy(server, trusted, tmp_path, environment, closed_port):
    """A build sets no_proxy for the loopback (utils/host/loopback.py), as the conftest of the tests does."""
    server.contents["/a.json"] = b"{}"
    environment({"HTTPS_PROXY": f"http://127.0.0.1:{closed_port}", "NO_PROXY": "127.0.0.1"})
    assert _fetch(_reference(server, "/a.json", b"{}"), tmp_path / "out").is_dir()


def test_a_missing_file(server, trusted, tmp_path):
    assert "a.zip does not exist (404)" in _refusal(_fetch, _reference(server, "/a.zip"), tmp_path / "out")


@pytest.mark.parametrize("without_length", [False, True])
def test_a_file_larger_than_the_disk(server, authority, tmp_path, monkeypatch, without_length):
    """Called in this process, with a disk that is said to be small."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.folder / "ca.pem"))
    server.contents["/a.json"] = b"0123456789"
    server.without_length = {"/a.json"} if without_length else set()
    monkeypatch.setattr(https, "free_bytes", lambda folder: 8)
    message = _refusal(https.fetch, _reference(server, "/a.json").locator, "", (), tmp_path / "out")
    assert "a.json is larger than the free disk space" in message


def test_an_archive_that_the_server_marks_as_encoded_keeps_its_digest(server, trusted, model_folder, tmp_path):
    content = server.contents["/m.tar.gz"] = _tar(model_folder)
    server.marked_as_encoded = {"/m.tar.gz"}
    assert (_fetch(_reference(server, "/m.tar.gz", content), tmp_path / "out") / "config.json").is_file()


def test_a_damaged_archive_with_the_right_digest(server, trusted, tmp_path):
    content = server.contents["/m.zip"] = b"PK\x03\x04 and nothing more"
    assert "m.zip is damaged or truncated" in _refusal(_fetch, _reference(server, "/m.zip", content), tmp_path / "out")


def test_a_reference_is_kept_as_it_is_written():
    reference = parse_reference(f"https://host/a.zip#sha256={NONE}")
    assert reference == StorageRef(scheme="https", locator=f"//host/a.zip#sha256={NONE}")
    assert str(reference) == f"https://host/a.zip#sha256={NONE}"

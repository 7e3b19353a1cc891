import subprocess
import time

import pytest

from utils.host.errors import UsageError
from utils.release.signature_keys import PASSPHRASE, read_private_key, read_public_key

SECRET = "correct horse"
P256 = ("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
GOOD = {
    "P-256": P256,
    "Ed25519": ("genpkey", "-algorithm", "ed25519"),
    "SEC1": ("ecparam", "-name", "prime256v1", "-genkey"),
}
COSIGN = (
    "-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\neyJrZGYiOnt9fQ==\n-----END ENCRYPTED SIGSTORE PRIVATE KEY-----\n"
)


def openssl(*arguments, content=b""):
    return subprocess.run(["openssl", *map(str, arguments)], input=content, capture_output=True, check=True).stdout


def pair(folder, command=P256):
    """(private, public): PEM files made by openssl."""
    private, public = folder / "sign.key", folder / "sign.pub"
    openssl(*command, "-out", private)
    openssl("pkey", "-in", private, "-pubout", "-out", public)
    return private, public


@pytest.fixture(autouse=True)
def _no_passphrase(monkeypatch):
    monkeypatch.delenv(PASSPHRASE, raising=False)


@pytest.mark.parametrize("kind", GOOD)
def test_a_signature_is_verified_by_the_public_key_and_by_no_other(kind, tmp_path):
    private, public = (
        read("--key", file)
        for read, file in zip((read_private_key, read_public_key), pair(tmp_path, GOOD[kind]), strict=True)
    )
    signature = private.sign(b"content")
    assert private.sign(b"content") == signature
    assert public.verifies(signature, b"content")
    assert not public.verifies(signature, b"Content")
    assert not public.verifies("AA" + signature[2:], b"content")
    assert not public.verifies("not base64", b"content")
    assert public.fingerprint == private.public.fingerprint
    _, other = pair(tmp_path)
    assert not read_public_key("--key", other).verifies(signature, b"content")


def test_an_encrypted_key_opens_with_its_passphrase_which_children_do_not_inherit(tmp_path, monkeypatch):
    file = tmp_path / "encrypted.key"
    openssl(*P256, "-aes256", "-pass", f"pass:{SECRET}", "-out", file)
    with pytest.raises(UsageError, match=PASSPHRASE):
        read_private_key("--sign-key", file)
    monkeypatch.setenv(PASSPHRASE, "wrong")
    with pytest.raises(UsageError, match="does not open") as error:
        read_private_key("--sign-key", file)
    assert "wrong" not in str(error.value)
    monkeypatch.setenv(PASSPHRASE, SECRET)
    read_private_key("--sign-key", file).sign(b"content")
    assert SECRET not in subprocess.run(["env"], capture_output=True, text=True).stdout


def test_a_passphrase_for_a_key_without_one_is_not_needed(tmp_path, monkeypatch):
    monkeypatch.setenv(PASSPHRASE, SECRET)
    read_private_key("--sign-key", pair(tmp_path)[0]).sign(b"content")


BAD = {
    "RSA": (lambda file: openssl("genrsa", "-out", file, 2048), "kind RSA"),
    "P-384": (lambda file: openssl("ecparam", "-name", "secp384r1", "-genkey", "-out", file), "kind secp384r1"),
    "public": (lambda file: file.write_bytes(pair(file.parent)[1].read_bytes()), "public key"),
    "cosign's format": (lambda file: file.write_text(COSIGN), "cosign import-key-pair"),
    "garbage": (lambda file: file.write_bytes(bytes(range(256))), "not a private key in PEM"),
    "empty": (lambda file: file.write_bytes(b""), "not a private key in PEM"),
    "cut": (lambda file: file.write_bytes(pair(file.parent)[0].read_bytes()[:90]), "damaged private key"),
    "folder": (lambda file: file.mkdir(), "Is a directory"),
    "missing": (lambda file: None, "No such file"),
    "pipe": (lambda file: subprocess.run(["mkfifo", file], check=True), "a pipe"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_file_that_is_no_usable_key_is_a_usage_error(kind, tmp_path):
    make, words = BAD[kind]
    file = tmp_path / "bad.key"
    make(file)
    started = time.monotonic()
    with pytest.raises(UsageError, match=words) as error:
        read_private_key("--sign-key", file)
    assert time.monotonic() - started < 10  # a read of the pipe never returns
    assert str(error.value).startswith("--sign-key")
    assert kind == "public" or kind in ("folder", "missing", "pipe") or "openssl genpkey" in str(error.value)


@pytest.mark.parametrize("kind", ["RSA", "private", "garbage", "missing"])
def test_a_file_that_is_no_public_key_is_a_usage_error_with_the_command(kind, tmp_path):
    private, _ = pair(tmp_path)
    file = tmp_path / "bad.pub"
    if kind == "RSA":
        openssl("pkey", "-pubout", "-out", file, content=openssl("genrsa", 2048))
    elif kind == "private":
        file.write_bytes(private.read_bytes())
    elif kind == "garbage":
        file.write_bytes(b"\0" * 99)
    with pytest.raises(UsageError, match="--key") as error:
        read_public_key("--key", file)
    assert kind == "missing" or "openssl pkey" in str(error.value)


def test_the_key_is_not_in_its_text(tmp_path):
    private, _ = pair(tmp_path)
    key = read_private_key("--sign-key", private)
    assert set(private.read_text().splitlines()[1:-1]).isdisjoint(repr(key).split())
    assert "PRIVATE" not in repr(key)

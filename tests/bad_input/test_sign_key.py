"""A --sign-key that cannot sign is refused by the real script within two seconds; what can sign is never shown."""

import os
import subprocess

import pytest

from tests.bad_input.conftest import NAME
from utils import ROOT
from utils.release.signature_keys import PASSPHRASE

SECRET = "correct horse"
TARGET = ("--image", "127.0.0.1:9/team/topics", "--push")  # nothing listens there
P256 = ("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
COSIGN = (
    "-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\neyJrZGYiOnt9fQ==\n-----END ENCRYPTED SIGSTORE PRIVATE KEY-----\n"
)


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], capture_output=True, check=True)


def public(file):
    openssl(*P256, "-out", file.with_suffix(".private"))
    openssl("pkey", "-in", file.with_suffix(".private"), "-pubout", "-out", file)


CASES = {
    "RSA": (lambda file: openssl("genrsa", "-out", file, "2048"), ["kind RSA", "openssl genpkey"]),
    "public": (public, ["is a public key"]),
    "cosign's format": (lambda file: file.write_text(COSIGN), ["cosign's own encrypted format", "openssl genpkey"]),
    "garbage": (lambda file: file.write_bytes(os.urandom(1000)), ["is not a private key in PEM"]),
    "missing": (lambda file: None, ["cannot be read", "No such file"]),
    "folder": (lambda file: file.mkdir(), ["cannot be read", "Is a directory"]),
    "encrypted": (lambda file: openssl(*P256, "-aes256", "-pass", f"pass:{SECRET}", "-out", file), [PASSPHRASE]),
}


@pytest.mark.parametrize("case", CASES)
def test_a_key_that_cannot_sign(case, damaged, refused_by_the_script):
    make, words = CASES[case]
    file = damaged.folder / "sign.key"
    make(file)
    argv = [damaged.model, damaged.model, "-", NAME, "v1", *TARGET, "--sign-key", file]
    refused_by_the_script(argv, 2, [f"--sign-key '{file}'", *words], env={PASSPHRASE: ""})


def test_a_wrong_passphrase(damaged, refused_by_the_script):
    file = damaged.folder / "sign.key"
    CASES["encrypted"][0](file)
    argv = [damaged.model, damaged.model, "-", NAME, "v1", *TARGET, "--sign-key", file]
    message = refused_by_the_script(argv, 2, ["does not open with the passphrase"], env={PASSPHRASE: "wrong horse"})
    assert "wrong horse" not in message


def test_a_key_for_nothing(damaged, refused_by_the_script):
    argv = [damaged.model, damaged.model, "-", NAME, "v1", "--sign-key", "sign.key"]
    refused_by_the_script(argv, 2, ["--sign-key is for --push"])


def test_the_key_and_its_passphrase_are_never_shown(damaged):
    """With tracebacks, in a build that ends at the registry (or at the engine, where there is none)."""
    file = damaged.folder / "sign.key"
    CASES["encrypted"][0](file)
    command = [ROOT / "make_triton_image.sh", damaged.model, damaged.model, "-", "hidden", "v1", *TARGET]
    command += ["--sign-key", file, "--debug"]
    environment = {**os.environ, PASSPHRASE: SECRET}
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=120, env=environment)
    assert done.returncode in (7, 9), done.stderr
    assert "Traceback" in done.stderr
    for secret in (SECRET, *file.read_text().splitlines()[1:-1]):
        assert secret not in done.stdout + done.stderr

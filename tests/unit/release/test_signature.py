import base64
import json
import subprocess

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from utils.host.errors import ReleaseError
from utils.release import signature
from utils.release.signature_keys import PrivateKey

DIGEST = "sha256:" + "a1" * 32
REPOSITORY = "registry.example.org:5000/team/topics"
SBOM = "https://cyclonedx.org/bom"


@pytest.fixture(scope="module")
def key():
    return PrivateKey(ec.generate_private_key(ec.SECP256R1()))


@pytest.fixture
def sbom():
    return signature.statement(REPOSITORY, [DIGEST], SBOM, {"bomFormat": "CycloneDX"})


def test_the_payload_of_an_image_has_the_form_of_cosign():
    payload = signature.image_payload(REPOSITORY, DIGEST)
    assert json.loads(payload) == {
        "critical": {
            "identity": {"docker-reference": REPOSITORY},
            "image": {"docker-manifest-digest": DIGEST},
            "type": "cosign container image signature",
        },
        "optional": None,
    }
    assert signature.signed_image(payload) == DIGEST


@pytest.mark.parametrize(
    "payload", [b"", b"[]", b"{}", b'{"critical": []}', b'{"critical": {"type": "atomic container signature"}}']
)
def test_another_payload_names_no_image(payload):
    with pytest.raises(ReleaseError, match="payload"):
        signature.signed_image(payload)


def test_the_signed_bytes_of_an_envelope_are_those_of_the_protocol():
    # The example of dsse/protocol.md.
    signed = signature.pre_authentication("http://example.com/HelloWorld", b"hello world")
    assert signed == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"


def test_openssl_verifies_an_envelope(key, sbom, tmp_path):
    packed = json.loads(signature.envelope(sbom, key))
    payload = base64.b64decode(packed["payload"])
    (tmp_path / "signed").write_bytes(signature.pre_authentication(packed["payloadType"], payload))
    (tmp_path / "signature").write_bytes(base64.b64decode(packed["signatures"][0]["sig"]))
    form = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "sign.pub").write_bytes(key._key.public_key().public_bytes(*form))
    command = ["openssl", "dgst", "-sha256", "-verify", "sign.pub", "-signature", "signature", "signed"]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, text=True).stdout == "Verified OK\n"
    assert json.loads(payload) == sbom


def test_an_envelope_opens_with_its_key_only(key, sbom):
    packed = signature.envelope(sbom, key)
    assert packed == signature.envelope(sbom, key)
    assert signature.opened(packed, key.public, "the SBOM") == sbom
    other = PrivateKey(ec.generate_private_key(ec.SECP256R1())).public
    with pytest.raises(ReleaseError, match="signature of the SBOM does not match"):
        signature.opened(packed, other, "the SBOM")


def test_no_changed_byte_of_an_envelope_changes_what_it_says(key, sbom):
    packed = signature.envelope(sbom, key)
    refused = 0
    for at in range(len(packed)):
        changed = packed[:at] + bytes([packed[at] ^ 1]) + packed[at + 1 :]
        try:  # the name of the key is not signed, and base64 has bits without a meaning
            assert signature.opened(changed, key.public, "the SBOM") == sbom
        except ReleaseError:
            refused += 1
    assert refused >= len(packed) - len('"keyid":') - len(key.public.fingerprint) - 4


@pytest.mark.parametrize(
    "packed",
    [
        b"",
        b"[]",
        b"{}",
        b'{"payload": "!", "payloadType": "application/vnd.in-toto+json", "signatures": []}',
        b'{"payload": "e30=", "payloadType": "application/vnd.in-toto+json", "signatures": []}',
        b'{"payload": "e30=", "payloadType": "application/vnd.in-toto+json", "signatures": ["x"]}',
        b'{"payload": "e30=", "payloadType": "text/plain", "signatures": [{"sig": "AA=="}]}',
    ],
)
def test_what_is_no_envelope_of_a_statement_is_refused(packed, key):
    with pytest.raises(ReleaseError, match="the SBOM"):
        signature.opened(packed, key.public, "the SBOM")


def test_a_statement_is_about_its_subjects_only(sbom):
    assert signature.is_about(sbom, DIGEST)
    assert not signature.is_about(sbom, "sha256:" + "b2" * 32)
    for subject in (None, {}, [1], [{}], [{"digest": None}], [{"digest": {"sha512": "a1" * 32}}]):
        assert not signature.is_about({"subject": subject}, DIGEST)

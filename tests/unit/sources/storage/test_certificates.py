"""The variables and the sentence for private authorities. test_faults.py has each storage's client, with TLS."""

import ssl

import pytest

from utils.sources.storage.certificates import for_all_clients, is_untrusted


def test_one_variable_is_enough_for_every_client(tmp_path):
    file = tmp_path / "ca.pem"
    file.touch()
    every = {name: str(file) for name in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "AWS_CA_BUNDLE")}
    for variable in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        assert {**for_all_clients({variable: str(file)}), variable: str(file)} == {**every, variable: str(file)}
    assert for_all_clients({**dict.fromkeys(every, "own"), "SSL_CERT_FILE": str(file)}) == {}
    assert for_all_clients({}) == {}


def test_a_folder_or_a_missing_file_is_for_requests_only(tmp_path):
    for path in (tmp_path, tmp_path / "none.pem"):
        assert for_all_clients({"SSL_CERT_FILE": str(path)}) == {"REQUESTS_CA_BUNDLE": str(path)}
        assert for_all_clients({"REQUESTS_CA_BUNDLE": str(path)}) == {}


def hidden(error, how):
    try:
        if how == "in its arguments":
            raise OSError(error)
        try:
            raise error
        except Exception as cause:
            if how == "from":
                raise OSError("another") from cause
            raise OSError("another") from None
    except OSError as found:
        return found


@pytest.mark.parametrize("how", ["from", "from None", "in its arguments"])
def test_the_reason_is_found_behind_another_error(how):
    assert is_untrusted(hidden(ssl.SSLCertVerificationError(1, "self-signed certificate"), how))
    assert is_untrusted(hidden(ValueError("tls: failed to verify certificate: x509: unknown authority"), how))
    assert not is_untrusted(hidden(ssl.SSLError(1, "WRONG_VERSION_NUMBER"), how))

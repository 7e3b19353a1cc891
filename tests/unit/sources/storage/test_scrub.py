import pytest

from utils.sources.storage.scrub import scrub


@pytest.mark.parametrize(
    "name",
    ["HF_TOKEN", "CLEARML_API_SECRET_KEY", "CLEARML_API_ACCESS_KEY", "AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID"],
)
def test_values_of_secret_variables_are_removed(monkeypatch, name):
    monkeypatch.setenv(name, "very-secret-value")
    assert scrub("refused: very-secret-value!") == "refused: ***!"


def test_secrets_and_logins_in_addresses_are_removed():
    assert scrub("ask https://me:pass@hub/x with abcdefgh", "abcdefgh", None) == "ask https://hub/x with ***"


def test_keys_in_a_connection_string_and_signatures_in_addresses_are_removed(monkeypatch):
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", "AccountName=a;AccountKey=very-secret==;EndpointSuffix=x")
    assert scrub("refused: very-secret==") == "refused: ***"
    address = "https://host/x?v=1&sig=abcd%3D&X-Amz-Signature=ef&token=gh"
    assert scrub(address) == "https://host/x?v=1&sig=***&X-Amz-Signature=***&token=***"


def test_short_values_and_plain_text_are_kept(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "a")
    assert scrub("a name@v1 at https://hub/a") == "a name@v1 at https://hub/a"

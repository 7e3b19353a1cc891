"""The settings of TLS for gRPC, with real certificates."""

import pytest

from deploy.supervisor import settings, tls
from deploy.supervisor.errors import SettingError
from tests.certificates import Authority


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificates")
    authority = Authority(folder / "ours")
    cert, key = authority.sign("server")
    other = authority.sign("other")[1]
    (folder / "text").write_text("hello")
    return {"cert": cert, "key": key, "ca": authority.certificate, "other": other, "text": folder / "text"}


def read(files, **chosen):
    names = {"cert": tls.CERT, "key": tls.KEY, "ca": tls.CLIENT_CA}
    return tls.read({names[name]: str(files.get(choice, choice)) for name, choice in chosen.items()})


def test_without_settings_there_is_no_tls():
    assert tls.read({tls.CERT: ""}) is None
    assert settings.read({}).grpc_tls is None


def test_matching_files(files):
    assert read(files, cert="cert", key="key") == tls.Tls(str(files["cert"]), str(files["key"]))
    assert read(files, cert="cert", key="key", ca="ca").client_ca == str(files["ca"])
    environment = {tls.CERT: str(files["cert"]), tls.KEY: str(files["key"])}
    assert settings.read(environment).grpc_tls == read(files, cert="cert", key="key")


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"cert": "cert"}, f"{tls.CERT} is set without {tls.KEY}"),
        ({"key": "key"}, f"{tls.KEY} is set without {tls.CERT}"),
        ({"ca": "ca"}, f"{tls.CLIENT_CA} is set without {tls.CERT}"),
        ({"cert": "/no/such", "key": "key"}, f"{tls.CERT} names '/no/such', which cannot be read"),
        ({"cert": "cert", "key": "/tmp"}, f"{tls.KEY} names '/tmp', which cannot be read"),
        ({"cert": "cert", "key": "other"}, "KEY_VALUES_MISMATCH"),
        ({"cert": "key", "key": "cert"}, "are not a certificate and its unencrypted key"),
        ({"cert": "text", "key": "key"}, "are not a certificate and its unencrypted key"),
        ({"cert": "cert", "key": "key", "ca": "text"}, f"{tls.CLIENT_CA} names .*which is not a PEM certificate"),
    ],
)
def test_unusable_files_are_reported(files, chosen, message):
    with pytest.raises(SettingError, match=message):
        read(files, **chosen)

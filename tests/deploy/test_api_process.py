"""The command of the API process, and which images have one."""

import json

import pytest

from deploy.supervisor import api_process, settings
from deploy.supervisor.errors import SettingError
from deploy.supervisor.tls import Tls


@pytest.fixture
def serving(tmp_path):
    (tmp_path / "opt").mkdir()
    (tmp_path / "opt/api.json").write_text(json.dumps({"tokenizer": "topics/1"}))
    (tmp_path / "models/topics/1").mkdir(parents=True)
    return tmp_path / "opt"


def of_image(serving, *, limits=None, repositories=None, **environment):
    repositories = repositories or [str(serving.parent / "models")]
    return api_process.of_image(str(serving), repositories, limits or settings.Settings(), environment)


def test_it_gets_its_limits_and_the_address_of_triton(serving):
    limits = settings.Settings(grpc_port=9001, grpc_tls=Tls("cert", "key"), api_keys_file="keys", api_max_inputs=7)
    *_, folder, start = of_image(serving, limits=limits).command("python3")
    assert json.loads(start) == {
        "facts_file": str(serving / "api.json"),
        "repository": str(serving.parent / "models"),
        "triton": "127.0.0.1:9001",
        "tls": ["cert", "key"],
        "keys_file": "keys",
        "max_body": 64 << 20,
        "max_inputs": 7,
        "drain_seconds": 8.0,
    }
    assert folder.endswith("/deploy")


def test_grpc_that_is_off_stays_on_the_loopback(serving):
    limits = of_image(serving, limits=settings.Settings(grpc=False)).limits
    assert (limits.grpc, limits.grpc_address) == (True, "127.0.0.1")


def test_other_models_than_the_images_are_refused(serving):
    with pytest.raises(SettingError, match="has the folder 'topics/1'"):
        of_image(serving, repositories=[str(serving), "s3://bucket/models"])


@pytest.mark.parametrize("text", ["", "tcp://10.0.0.1:8080"])
def test_an_image_without_facts_has_no_process(tmp_path, text):
    assert of_image(tmp_path, TRITON_API_PORT=text) is None


def test_settings_without_a_process_are_refused(tmp_path):
    with pytest.raises(SettingError, match="TRITON_API_KEYS_FILE is set, and this image has no API process"):
        of_image(tmp_path, TRITON_API_KEYS_FILE="keys")

"""wandb: by the real client against tests/loopback/wandb_server.py, whose docstring says what it hides."""

import pytest

from tests.loopback.wandb_server import KEY, WandbServer
from tests.unit.sources.storage.calls import fetch, refusal, resolve
from utils.sources.storage import METADATA, SAFE_WEIGHTS, wandb

NAME = "team/topics/model"


@pytest.fixture
def server(environment, model_folder, tmp_path, monkeypatch):
    with WandbServer({NAME: model_folder}) as server:
        environment(server.environment())
        (tmp_path / "here").mkdir()
        monkeypatch.chdir(tmp_path / "here")
        yield server


def test_an_alias_is_resolved_and_only_matching_files_are_fetched(server, model_folder, tmp_path):
    """A newer version under the alias does not change what is fetched; nothing is written elsewhere or reported."""
    assert resolve(f"wandb:{NAME}:best") == "v0"
    newer = tmp_path / "newer/deep"
    newer.mkdir(parents=True)
    (newer / "config.json").write_text("{}")
    server.change(NAME, newer.parent)
    assert resolve(f"wandb:{NAME}") == "v1"
    assert sorted(fetch(f"wandb:{NAME}:best", "v0", METADATA, tmp_path / "out")) == ["config.json", "vocab.txt"]
    files = fetch(f"wandb:{NAME}:best", "v0", METADATA + SAFE_WEIGHTS, tmp_path / "out")
    assert sorted(files) == ["config.json", "model.safetensors", "vocab.txt"]
    assert all(path.read_bytes() == (model_folder / name).read_bytes() for name, path in files.items())
    assert sorted(fetch(f"wandb:{NAME}:best", "v1", METADATA, tmp_path / "second")) == ["config.json"]
    assert not list((tmp_path / "here").iterdir())
    known = {"Viewer", "ServerFeaturesQuery", "ArtifactMembershipByName", "FetchArtifactManifest"}
    assert set(server.operations) == known


def test_what_the_server_does_not_have_and_a_wrong_key(server, environment, monkeypatch):
    assert f"has no wandb:{NAME}:other; check the entity" in refusal(resolve, f"wandb:{NAME}:other")
    environment({"WANDB_API_KEY": KEY.replace("0", "1")})
    message = refusal(resolve, f"wandb:{NAME}")
    assert f"refuses wandb:{NAME}; set WANDB_API_KEY" in message and KEY.replace("0", "1") not in message
    monkeypatch.delenv("WANDB_API_KEY")
    assert "set WANDB_API_KEY, or run wandb login" in refusal(resolve, f"wandb:{NAME}")


def test_a_reference_to_another_place_is_refused(server, tmp_path):
    server.references["config.json"] = "s3://elsewhere/config.json?signature=secret"
    message = refusal(fetch, f"wandb:{NAME}", "v0", METADATA, tmp_path / "out")
    assert "has 'config.json' as a reference to s3://elsewhere/config.json; log the file itself" in message


@pytest.mark.parametrize("locator", ["model", "team/model", "a/b/c/d", "team/topics/a b", "../../x"])
def test_what_is_no_reference(locator):
    assert "is no artifact; write wandb:entity/project/name:alias" in refusal(wandb.resolve, locator)

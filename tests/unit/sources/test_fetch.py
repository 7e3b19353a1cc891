"""Stage 2 with local folders; the other storages have their own tests."""

import json
import shutil

import pytest

from tests.small_files import HEAD, TOKENIZER, write_safetensors
from utils.host.errors import SourceError, UsageError
from utils.sources.fetch import fetch_metadata, fetch_model, require_local
from utils.sources.requirements import Sources
from utils.sources.storage import FetchedArtifact, bounded, parse_reference


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    config = {"model_type": "bert", "id2label": {"0": "from config", "1": "too"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer.json").write_text(json.dumps(TOKENIZER))
    write_safetensors(folder / "model.safetensors", HEAD)
    return folder


def sources(model, tokenizer=None, labels=None):
    return Sources(
        model=parse_reference(str(model)),
        tokenizer=parse_reference(str(tokenizer or model)),
        labels=None if labels is None else parse_reference(str(labels)),
        fetch_timeout=30,
    )


def test_the_model_s_own_labels(model, tmp_path):
    metadata = fetch_metadata(sources(model), tmp_path / "work")
    assert metadata.labels.texts == ("from config", "too")
    assert metadata.config.head_size == 2
    assert metadata.tokenizer.path == model
    assert set(metadata.revisions) == {"model", "tokenizer"}
    assert metadata.revisions["model"] == metadata.revisions["tokenizer"]


def test_three_references_have_three_revisions(model, tmp_path, capsys):
    other = tmp_path / "tok"
    other.mkdir()
    (other / "tokenizer.json").write_text(json.dumps(TOKENIZER, indent=1))
    labels = tmp_path / "labels.json"
    labels.write_text('["x", "y"]')
    metadata = fetch_metadata(sources(model, other, labels), tmp_path / "work")
    assert metadata.labels.texts == ("x", "y")
    assert metadata.tokenizer.path == other
    assert set(metadata.revisions) == {"model", "tokenizer", "labels"}
    assert len(set(metadata.revisions.values())) == 3
    expected = capsys.readouterr().err
    for name, reference in (("model", model), ("tokenizer", other), ("labels", labels)):
        assert f"{name}: {reference} is revision {metadata.revisions[name]}" in expected


def test_one_reference_is_resolved_and_fetched_once(model, tmp_path, monkeypatch):
    limits = []
    resolve = bounded.resolve
    monkeypatch.setattr(
        bounded, "resolve", lambda reference, limit: limits.append(limit) or resolve(reference, limit=1)
    )
    fetch_metadata(sources(model, model, model), tmp_path / "work")
    assert limits == [30]


def test_a_wrong_number_of_labels_is_refused_before_weights(model, tmp_path):
    labels = tmp_path / "labels.json"
    labels.write_text('["x", "y", "z"]')
    (model / "model.safetensors").unlink()
    with pytest.raises(SourceError, match="3 labels but the model's head has 2 outputs"):
        fetch_metadata(sources(model, labels=labels), tmp_path / "work")


def test_the_model_with_its_weights(model, tmp_path):
    spec = sources(model)
    metadata = fetch_metadata(spec, tmp_path / "work")
    assert fetch_model(spec, metadata, tmp_path / "work") == model
    (model / "model.safetensors").unlink()
    with pytest.raises(SourceError, match="has no weights"):
        fetch_model(spec, metadata, tmp_path / "work")


@pytest.mark.parametrize("argument", ["MODEL", "TOKENIZER", "ID2LABEL"])
@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("./nowhere", "'./nowhere' does not exist"),
        ("/no/where", "'/no/where' does not exist"),
        ("user/name", "write hf:user/name"),
        ("user/name@v1", "write hf:user/name@v1"),
    ],
)
def test_a_missing_path_is_reported_at_once(model, argument, reference, expected):
    references = {"MODEL": str(model), "TOKENIZER": str(model), "ID2LABEL": str(model), argument: reference}
    with pytest.raises(SourceError) as refusal:
        require_local(sources(*references.values()))
    assert refusal.value.exit_code == 3
    assert str(refusal.value).startswith(f"{argument} ")
    assert expected in str(refusal.value)
    assert ("hf:" in str(refusal.value)) == ("hf:" in expected)


@pytest.mark.parametrize("reference", ["hf:no/such", "clearml:0123456789abcdef0123456789abcdef", "s3://bucket/prefix"])
def test_a_remote_reference_is_not_a_local_path(model, reference):
    require_local(sources(reference, reference, reference))


def test_a_label_file_is_optional(model):
    require_local(sources(model))


def test_a_tilde_is_the_home_folder(model, monkeypatch):
    """The local storage expands it, because no shell does in a YAML file."""
    monkeypatch.setenv("HOME", str(model.parent))
    require_local(sources("~/model", "~/model"))


def test_an_unknown_storage_is_a_usage_error():
    with pytest.raises(UsageError, match="known storages are local:, hf:, clearml:, s3:"):
        parse_reference("ftp:bucket/model")


def test_the_old_layout_of_sentence_transformers_is_read(model, tmp_path):
    """The model, its weights and its tokenizer in 0_Transformer, and modules.json above them."""
    old = tmp_path / "old"
    old.mkdir()
    model.rename(old / "0_Transformer")
    (old / "modules.json").write_text(json.dumps([{"path": "0_Transformer", "type": "m.Transformer"}]))
    metadata = fetch_metadata(sources(old), tmp_path / "work")
    assert metadata.tokenizer.path == metadata.config.file.parent == old / "0_Transformer"
    assert fetch_model(sources(old), metadata, tmp_path / "work") == old / "0_Transformer"
    before = metadata.revisions["model"]
    write_safetensors(old / "0_Transformer/model.safetensors", {**HEAD, "more": (1,)})
    assert fetch_metadata(sources(old), tmp_path / "work").revisions["model"] != before


@pytest.fixture
def remote(model, monkeypatch):
    """A storage that downloads. A stand-in for the network, so the output of the real clients is not tested."""

    def fetch(reference, revision, patterns, destination, *, limit):
        shutil.copytree(model, destination, dirs_exist_ok=True)
        return FetchedArtifact(path=destination, revision=revision)

    monkeypatch.setattr(bounded, "resolve", lambda reference, limit: "r" * 40)
    monkeypatch.setattr(bounded, "fetch", fetch)
    return sources("hf:user/name@v1")


@pytest.mark.parametrize(
    ("file", "content", "expected"),
    [
        ("config.json", "{", "'hf:user/name@v1/config.json' is not valid JSON"),
        ("config.json", '{"model_type": "bert"}', "'hf:user/name@v1/config.json' has no id2label"),
        ("tokenizer.json", "[]", "'hf:user/name@v1/tokenizer.json' is not a tokenizer file"),
        ("config.json", '{"model_type": "bert", "vocab_size": "many"}', "'hf:user/name@v1/config.json' has vocab_size"),
    ],
)
def test_an_error_names_the_reference_of_the_user(model, remote, tmp_path, file, content, expected):
    (model / file).write_text(content)
    with pytest.raises(SourceError, match=expected) as refused:
        fetch_metadata(remote, tmp_path / "work")
    assert str(tmp_path) not in str(refused.value)


def test_an_error_in_weights_names_the_reference_of_the_user(model, remote, tmp_path):
    metadata = fetch_metadata(remote, tmp_path / "work")
    assert metadata.labels.source == "hf:user/name@v1/config.json"
    (model / "model.safetensors").write_bytes(b"cut")
    with pytest.raises(SourceError, match=r"'hf:user/name@v1/model\.safetensors' is damaged") as refused:
        fetch_model(remote, metadata, tmp_path / "work")
    assert str(tmp_path) not in str(refused.value)

"""What is found wrong in an adapter's files and its base before anything is loaded."""

import json

import pytest

from tests.small_files import HEAD, TOKENIZER, write_safetensors
from utils.host.errors import SourceError
from utils.sources.adapter import TASKS, UNMERGED
from utils.sources.fetch import fetch_metadata, fetch_model
from utils.sources.requirements import SourceRequirements, Sources
from utils.sources.storage import StorageRef, bounded, parse_reference

QUERY = "bert.encoder.layer.0.attention.self.query"
EMBEDDINGS = "bert.embeddings.word_embeddings.weight"
BASE = {**HEAD, f"{QUERY}.weight": (4, 6), EMBEDDINGS: (9, 6)}
LORA = {f"base_model.model.{QUERY}.lora_A.weight": (2, 6), f"base_model.model.{QUERY}.lora_B.weight": (4, 2)}


@pytest.fixture
def base(tmp_path):
    folder = tmp_path / "base"
    folder.mkdir()
    config = {"model_type": "bert", "id2label": {"0": "no", "1": "yes"}, "vocab_size": 9}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer.json").write_text(json.dumps(TOKENIZER))
    write_safetensors(folder / "model.safetensors", BASE)
    return folder


@pytest.fixture
def adapter(tmp_path, base):
    return written(tmp_path / "adapter", base)


def written(folder, base, tensors=LORA, **changes):
    folder.mkdir(exist_ok=True)
    config = {"peft_type": "LORA", "task_type": "SEQ_CLS", "base_model_name_or_path": str(base), "r": 2, **changes}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    write_safetensors(folder / "adapter_model.safetensors", tensors)
    return folder


def known(tmp_path, model, tokenizer, adapter=None, **requirements):
    spec = Sources(
        model=parse_reference(str(model)),
        tokenizer=parse_reference(str(tokenizer)),
        labels=None,
        adapter=parse_reference(str(adapter)) if adapter else None,
        fetch_timeout=30,
        requirements=SourceRequirements(**requirements),
    )
    return spec, fetch_metadata(spec, tmp_path / "work")


def test_base_and_adapter_have_revisions(base, adapter, tmp_path, capsys):
    spec, metadata = known(tmp_path, adapter, base)
    assert set(metadata.revisions) == {"model", "tokenizer", "base"}
    assert metadata.revisions["base"] == metadata.revisions["tokenizer"] != metadata.revisions["model"]
    assert metadata.references == {"base": StorageRef(scheme="local", locator=str(base))}
    assert metadata.facts["model"].items() >= {"type": "bert", "base": str(base), "peft_type": "LORA"}.items()
    assert fetch_model(spec, metadata, tmp_path / "work") == metadata.weights == base
    assert "warning" not in capsys.readouterr().err


def test_the_base_as_model(base, adapter, tmp_path, capsys):
    _, metadata = known(tmp_path, base, base, adapter)
    assert set(metadata.revisions) == {"model", "tokenizer", "adapter"}
    assert metadata.references == {"adapter": StorageRef(scheme="local", locator=str(adapter))}
    assert "warning" not in capsys.readouterr().err


def test_a_copy_of_the_base_is_accepted_with_a_warning(base, adapter, tmp_path, capsys):
    written(adapter, "author/base")
    known(tmp_path, base, base, adapter)
    assert f"names 'author/base' as its base, and MODEL is '{base}'" in capsys.readouterr().err


@pytest.mark.parametrize("kind", [*UNMERGED, "FUTURE_TUNING", None])
def test_a_type_that_cannot_be_merged_is_refused_by_name(kind, base, adapter, tmp_path):
    written(adapter, base, peft_type=kind)
    with pytest.raises(SourceError, match=rf"has the peft_type {kind}[,;] .*LORA"):
        known(tmp_path, adapter, base)


@pytest.mark.parametrize("task_type", ["CAUSAL_LM", *TASKS])
def test_the_task_type_fits_the_task(task_type, base, adapter, tmp_path):
    written(adapter, base, task_type=task_type)
    if TASKS.get(task_type) == "text-classification":
        known(tmp_path, adapter, base)
        return
    with pytest.raises(SourceError, match=f"has the task_type {task_type}, and this task needs SEQ_CLS or null"):
        known(tmp_path, adapter, base)


WRONG = {
    "another size": ({f"base_model.model.{QUERY}.lora_A.weight": (2, 7)}, r"has 2x7 numbers, and .* has 4x6; .* MODEL"),
    "another depth": (
        {f"base_model.model.{QUERY}.lora_A.weight".replace("layer.0", "layer.7"): (2, 6)},
        r"the base has no tensor bert\.encoder\.layer\.7\.attention\.self\.query\.weight",
    ),
    "another architecture": ({"base_model.model.h.0.attn.hada_w1_a": (2, 6)}, "no tensor of it belongs to a module"),
    "a resized vocabulary": ({**LORA, f"base_model.model.{EMBEDDINGS}": (12, 6)}, "has 12 rows, and the base has 9; "),
}


@pytest.mark.parametrize("case", WRONG)
def test_an_adapter_of_another_base_is_refused(case, base, adapter, tmp_path):
    tensors, words = WRONG[case]
    written(adapter, base, tensors)
    with pytest.raises(SourceError, match=words):
        known(tmp_path, base, base, adapter)


def test_a_base_without_prefix_fits(base, adapter, tmp_path):
    """A model without a head, such as BertModel, saves its tensors without the name of its body."""
    write_safetensors(base / "model.safetensors", {**HEAD, **{name[5:]: size for name, size in BASE.items()}})
    known(tmp_path, adapter, base)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"base_model_name_or_path": None}, "does not name a base model .*--adapter"),
        ({"base_model_name_or_path": "/home/author/base"}, "neither a folder here nor a name of the hub; .*--adapter"),
        ({"base_model_name_or_path": 3}, "base_model_name_or_path 3; it must be a text or null"),
        ({"use_qalora": True}, r"use_qalora = True in MODEL's adapter_config\.json \(needs a quantized base\)"),
        ({"of_a_newer_peft": 1}, "of_a_newer_peft = 1"),
    ],
)
def test_a_config_that_cannot_be_used_is_refused(changes, words, base, adapter, tmp_path):
    written(adapter, base, **changes)
    with pytest.raises(SourceError, match=words):
        known(tmp_path, adapter, base)


def test_an_unread_setting_can_be_accepted(base, adapter, tmp_path):
    written(adapter, base, of_a_newer_peft=1)
    assert known(tmp_path, adapter, base, accept_unknown=("of_a_newer_peft",))[1].accepted == ("of_a_newer_peft",)


def test_an_adapter_of_an_adapter_is_refused(base, adapter, tmp_path):
    outer = written(tmp_path / "outer", adapter)
    with pytest.raises(SourceError, match=r"has adapter_config\.json: it is an adapter itself; .*merge_and_unload\(\)"):
        known(tmp_path, outer, base)


def test_an_adapter_without_weights_is_refused(base, adapter, tmp_path):
    (adapter / "adapter_model.safetensors").unlink()
    with pytest.raises(SourceError, match=r"has no weights; adapter_model\.safetensors must be beside"):
        known(tmp_path, adapter, base)


def test_a_folder_without_adapter_is_refused(base, tmp_path):
    with pytest.raises(SourceError, match=r"--adapter .* has no adapter_config\.json"):
        known(tmp_path, base, base, base)


@pytest.mark.parametrize(
    ("model", "named", "words"),
    [
        (
            "author/other",
            {},
            "was trained on hf:author/base, and MODEL is hf:author/other; give hf:author/base as MODEL",
        ),
        ("author/base@v2", {"revision": "v1"}, "revision v1 of hf:author/base .* give hf:author/base@v1 as MODEL"),
        ("author/base", {}, None),
        ("Author/Base@v1", {"revision": "v1"}, None),
        ("author/base@v2", {}, None),
    ],
)
def test_names_of_the_hub_are_compared(model, named, words, adapter, base, tmp_path, monkeypatch):
    """The revisions and files are made up here; tests/server/test_adapters.py has a hub."""
    written(adapter, "author/base", **named)
    fetch, resolve = bounded.fetch, bounded.resolve
    local = StorageRef(scheme="local", locator=str(base))
    monkeypatch.setattr(
        bounded,
        "resolve",
        lambda each, **limit: each.locator.partition("@")[2] if each.scheme == "hf" else resolve(each, **limit),
    )
    monkeypatch.setattr(
        bounded, "fetch", lambda each, *others, **limit: fetch(local if each.scheme == "hf" else each, *others, **limit)
    )
    if words is None:
        assert "adapter" in known(tmp_path, f"hf:{model}", base, adapter)[1].revisions
        return
    with pytest.raises(SourceError, match=words):
        known(tmp_path, f"hf:{model}", base, adapter)


def test_the_second_exporter_is_refused(base, adapter, tmp_path):
    with pytest.raises(SourceError, match=r"needs the exporter dynamo, and adapters are merged for optimum only"):
        known(tmp_path, adapter, base, exporter="dynamo")

"""Each type of adapter: made by PEFT, merged here, and compared with the base that has the adapter beside it."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests import tiny_adapters, tiny_models
from utils.convert import adapter, reference_model
from utils.convert.exporter import prepare
from utils.host.errors import SourceError
from utils.sources.adapter import SAFE, UNMERGED
from utils.sources.fetch import fetch_metadata, fetch_model
from utils.sources.known_keys import tables
from utils.sources.requirements import SourceRequirements, Sources
from utils.sources.storage import parse_reference
from utils.tasks import find_task

# PEFT's warnings have classes that the process that collects pytest's reports cannot import.
pytestmark = pytest.mark.filterwarnings("ignore")
TASK = find_task("text-classification")
# What a type needs beside target_modules to fit a model of 32 numbers.
SETTINGS = {
    "ADALORA": {"total_step": 10},
    "BOFT": {"boft_block_size": 4},
    "C3A": {"block_size": 8},
    "FOURIERFT": {"n_frequency": 20},
    "FROD": {"progressbar": False},
    "IA3": {"target_modules": ["query", "output.dense"], "feedforward_modules": ["output.dense"]},
    "MISS": {"r": 4},
    "OFT": {"oft_block_size": 4, "r": 0},
    "RANDLORA": {"r": 4},
    "ROAD": {"group_size": 8},
    "SHIRA": {"r": 4},
    "TRAINABLE_TOKENS": {"target_modules": ["word_embeddings"], "token_indices": [5, 6, 7]},
    "UNILORA": {"theta_d_length": 64},
    "VBLORA": {"vector_length": 8, "num_vectors": 16},
    "WAVEFT": {"n_frequency": 20},
}
VARIANTS = {
    "rank-stabilized": {"use_rslora": True},
    "DoRA": {"use_dora": True},
    "ranks and alphas by module": {"rank_pattern": {"query": 4}, "alpha_pattern": {"value": 32}},
    "biases": {"bias": "all", "lora_bias": True},
    "all linear layers": {"target_modules": "all-linear"},
    "embeddings": {"target_modules": ["word_embeddings", "query"]},
    "whole modules": {"modules_to_save": ["LayerNorm"]},
    "trained tokens": {"trainable_token_indices": [5, 6]},
    "weights of principal components": {"init_lora_weights": "pissa"},
}
CASES = {
    **{kind: (kind, SETTINGS.get(kind, {})) for kind in tables.adapter_types()},
    **{name: ("LORA", settings) for name, settings in VARIANTS.items()},
}


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    prepare()
    return tiny_models.bert(tmp_path_factory.mktemp("adapters") / "base")


@pytest.fixture(scope="module")
def lora(base):
    return tiny_adapters.adapter(base, base.parent / "lora")


def known(model, base, folder, *, beside=None, **requirements):
    """What the build knows of `model`, an adapter or a base; the tokenizer is that of `base`."""
    spec = Sources(
        model=parse_reference(str(model)),
        tokenizer=parse_reference(str(base)),
        labels=None,
        adapter=beside and parse_reference(str(beside)),
        fetch_timeout=30,
        requirements=SourceRequirements(**requirements),
    )
    return spec, fetch_metadata(spec, folder)


def outputs(model, base):
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(base)
    batch = tokenizer(["I would like my money back.", "The lazy dog jumps over"], padding=True, return_tensors="pt")
    with torch.inference_mode():
        return model(**batch).logits


@pytest.mark.parametrize("case", CASES)
def test_a_merged_adapter_answers_as_peft_does(case, base, tmp_path):
    import transformers

    kind, settings = CASES[case]
    task_type = None if kind in ("TRAINABLE_TOKENS",) else "SEQ_CLS"
    folder = tiny_adapters.adapter(base, tmp_path / "adapter", kind=kind, task_type=task_type, **settings)
    merged = merged_model(folder, base, tmp_path)
    right = outputs(tiny_adapters.loaded(base, folder), base)
    before = outputs(transformers.AutoModelForSequenceClassification.from_pretrained(base).eval(), base)
    assert (right - before).abs().max() > 0.01
    assert (outputs(merged, base) - right).abs().max() < 1e-5
    assert all(parameter.dtype == torch.float32 for parameter in merged.parameters())


def merged_model(folder, base, tmp_path, **requirements):
    spec, metadata = known(folder, base, tmp_path / "work", **requirements)
    place = adapter.merge(metadata.tuned, fetch_model(spec, metadata, tmp_path / "work"), TASK)
    return reference_model.load_model(place, reference_model.load_config(place), TASK)


def test_every_type_of_peft_is_merged_or_refused():
    from peft import PeftType

    assert {kind.value for kind in PeftType} == {*tables.adapter_types(), *UNMERGED}


def test_the_head_of_an_adapter_can_have_another_size(base, tmp_path):
    folder = tiny_adapters.adapter(base, tmp_path / "five", base_settings={"num_labels": 5})
    merged = merged_model(folder, base, tmp_path, allow_placeholder_labels=True)
    right = outputs(tiny_adapters.loaded(base, folder, num_labels=5), base)
    assert right.shape == (2, 5)
    assert (outputs(merged, base) - right).abs().max() < 1e-5


def test_a_pickled_adapter_is_merged_if_pickles_are_allowed(base, lora, tmp_path):
    folder = shutil.copytree(lora, tmp_path / "pickled")
    torch.save(load_file(folder / SAFE), folder / "adapter_model.bin")
    (folder / SAFE).unlink()
    with pytest.raises(SourceError, match=r"are a pickle \(adapter_model.bin\).*--allow-pickle"):
        known(folder, base, tmp_path / "first")
    merged = merged_model(folder, base, tmp_path, allow_pickle=True)
    assert (outputs(merged, base) - outputs(tiny_adapters.loaded(base, lora), base)).abs().max() < 1e-5


def without(folder, part, **changes):
    """The adapter without the tensors whose names contain `part`, and with `changes` in its config."""
    tensors = load_file(folder / SAFE)
    save_file({name: tensor for name, tensor in tensors.items() if part not in name}, folder / SAFE)
    config = json.loads((folder / "adapter_config.json").read_text())
    (folder / "adapter_config.json").write_text(json.dumps({**config, **changes}))
    return folder


def test_missing_tensors_of_an_adapter_are_refused(base, lora, tmp_path):
    folder = without(shutil.copytree(lora, tmp_path / "half"), "layer.1.attention.self.value")
    with pytest.raises(SourceError, match=r"lacks .*layer\.1\.attention\.self\.value\.lora_A.*copy both files again"):
        merged_model(folder, base, tmp_path)


def test_a_head_of_neither_base_nor_adapter_is_refused(lora, base, tmp_path):
    """It would be random."""
    bare = shutil.copytree(base, tmp_path / "bare")
    tensors = load_file(bare / "model.safetensors")
    save_file({name: each for name, each in tensors.items() if "classifier" not in name}, bare / "model.safetensors")
    folder = shutil.copytree(lora, tmp_path / "whole")
    known(bare, base, tmp_path / "first", beside=folder)  # the adapter has a head
    without(folder, "classifier")
    with pytest.raises(SourceError, match="has no classification head"):
        known(bare, base, tmp_path / "second", beside=folder)

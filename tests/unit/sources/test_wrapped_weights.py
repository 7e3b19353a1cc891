"""Weights saved from inside torch.compile, DataParallel or FSDP: refused, with a command that renames the tensors."""

import json
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests import tiny_models
from utils.convert.reference_model import load_config, load_model
from utils.host.errors import SourceError
from utils.sources.checkpoint import PICKLED, SAFE, UNWRAP, check_names, read_checkpoint
from utils.tasks import find_task

NAMES = ("bert.embeddings.word_embeddings.weight", "bert.encoder.layer.0.output.dense.weight", "classifier.weight")


def saved(folder, rename):
    tensors = {rename(name): torch.full((2, 2), float(place)) for place, name in enumerate(NAMES)}
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    return folder


WRAPPED = {
    "torch.compile": lambda name: f"_orig_mod.{name}",
    "DataParallel": lambda name: f"module.{name}",
    "FSDP": lambda name: name.replace("layer.0.", "layer.0._fsdp_wrapped_module."),
    "torch.compile in DataParallel": lambda name: f"module._orig_mod.{name}",
    "torch.compile of the encoder alone": lambda name: name.replace("encoder.", "encoder._orig_mod."),
}


@pytest.mark.parametrize("wrapper", WRAPPED)
def test_the_prefix_is_reported_and_the_suggested_command_works(tmp_path, wrapper):
    saved(tmp_path, WRAPPED[wrapper])
    with pytest.raises(SourceError) as refused:
        check_names(read_checkpoint(tmp_path, allow_pickle=False))
    assert f"of {wrapper.split()[0]} (" in str(refused.value)
    assert str(refused.value).endswith(UNWRAP[SAFE])
    python = f'"{sys.executable}"'
    subprocess.run(UNWRAP[SAFE].replace("python3", python, 1), shell=True, cwd=tmp_path, check=True)
    check_names(read_checkpoint(tmp_path, allow_pickle=False))
    mended = load_file(tmp_path / "model.safetensors")
    assert {name: float(tensor[0, 0]) for name, tensor in mended.items()} == {n: float(i) for i, n in enumerate(NAMES)}


def test_wrapped_shards_are_recognised_by_their_index(tmp_path):
    (tmp_path / "a.safetensors").write_bytes(
        saved(tmp_path, WRAPPED["torch.compile"]).joinpath("model.safetensors").read_bytes()
    )
    (tmp_path / "model.safetensors").unlink()
    index = {"weight_map": {f"_orig_mod.{name}": "a.safetensors" for name in NAMES}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(SourceError, match=r"prefix '_orig_mod\.' .*; save model\._orig_mod with save_pretrained\(\)$"):
        check_names(read_checkpoint(tmp_path, allow_pickle=False))


@pytest.mark.parametrize(
    "rename", [str, lambda name: name.replace("bert.", "module."), lambda name: f"my_module.{name}"]
)
def test_other_names_are_accepted(tmp_path, rename):
    check_names(read_checkpoint(saved(tmp_path, rename), allow_pickle=False))


@pytest.mark.parametrize("wrapper", WRAPPED)
def test_a_wrapped_pickle_is_reported_after_loading(tmp_path, wrapper):
    model = tiny_models.bert(tmp_path / "bert")
    tensors = {WRAPPED[wrapper](name): tensor for name, tensor in load_file(model / SAFE).items()}
    torch.save(tensors, model / PICKLED)
    (model / SAFE).unlink()
    task, config = find_task("text-classification"), load_config(model)
    with pytest.raises(SourceError) as refused:
        load_model(model, config, task)
    assert f"of {wrapper.split()[0]} (" in str(refused.value)
    assert str(refused.value).endswith(UNWRAP[PICKLED])
    line = UNWRAP[PICKLED].replace("python3", f'"{sys.executable}"', 1)
    subprocess.run(line, shell=True, cwd=model, check=True)
    load_model(model, config, task)

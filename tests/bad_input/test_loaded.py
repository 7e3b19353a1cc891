"""Faults that only loading finds: one sentence, before an image is built."""

import os
import zipfile

import pytest


def without(case, *names):
    case.keep_tensors(lambda name: name not in names)


def another_size(case):
    case.edit("config.json", hidden_size=48)


def not_numbers(case):
    header, content = case.header()
    start, end = header["classifier.bias"]["data_offsets"]
    case.write_weights(header, content[:start] + b"\xff" * (end - start) + content[end:])


class Evil:
    def __reduce__(self):
        return (os.mkdir, ("evil-was-here",))


def evil_pickle(case):
    import torch

    case.remove("model.safetensors")
    torch.save({"classifier.weight": Evil()}, case.file("pytorch_model.bin"))


def no_checkpoint(case):
    case.remove("model.safetensors")
    with zipfile.ZipFile(case.file("pytorch_model.bin"), "w") as archive:
        archive.writestr("readme.txt", "no checkpoint")


CASES = {
    "no bias of the head": (lambda case: without(case, "classifier.bias"), [], ["classifier.bias", "fine-tuned"]),
    "no pooler": (
        lambda case: without(case, "bert.pooler.dense.weight", "bert.pooler.dense.bias"),
        [],
        ["bert.pooler.dense", "text-classification"],
    ),
    "a config of another size": (another_size, [], ["cannot be loaded"]),
    "an evil pickle, allowed": (evil_pickle, ["--allow-pickle"], ["cannot be loaded"]),
    "a zip, no pickle, allowed": (no_checkpoint, ["--allow-pickle"], ["cannot be loaded"]),
}


@pytest.mark.parametrize("case", CASES)
def test_a_model_that_cannot_be_loaded(case, damaged, refused, monkeypatch):
    monkeypatch.chdir(damaged.folder)
    damage, options, words = CASES[case]
    damage(damaged)
    refused([*damaged.argv(), *options], 3, words, early=False)
    assert not (damaged.folder / "evil-was-here").exists()


def test_weights_that_are_not_finite(damaged, refused):
    not_numbers(damaged)
    refused(damaged.argv(), 5, ["are not finite", "nothing was built"], early=False)


@pytest.mark.parametrize("file", ["pytorch_model.bin", "pytorch_model.bin.index.json"])
def test_allowed_pickles_must_be_complete(file, damaged, refused):
    damaged.remove("model.safetensors")
    damaged.write(file, b"PK\x03\x04" if file.endswith(".bin") else b'{"weight_map": {"a": "pytorch_model-1.bin"}}')
    words = ["truncated"] if file.endswith(".bin") else ["'pytorch_model-1.bin'", "is missing"]
    refused([*damaged.argv(), "--allow-pickle"], 3, words)

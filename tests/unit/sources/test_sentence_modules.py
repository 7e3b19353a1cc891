"""modules.json and the modules after Transformer: what is read of each, and what is refused by name."""

import json
import shutil

import pytest

from tests.sentence_folders import LAYER_NORM, NORMALIZE, TANH, dense, embedder, pooling
from utils.host.errors import SourceError
from utils.sources.sentence_modules import read_modules, weight_files

DROPOUT = ("Dropout", {"dropout": 0.2})


def test_every_module_is_read_in_order(tmp_path):
    chain = [pooling("mean", "max", include_prompt=False), dense(64, 24), DROPOUT, NORMALIZE, LAYER_NORM]
    chain.append(dense(24, 8, "torch.nn.modules.linear.Identity", bias=False, use_residual=True))
    modules, include_prompt = read_modules(embedder(tmp_path, chain))
    assert [each["type"] for each in modules] == ["Pooling", "Dense", "Normalize", "LayerNorm", "Dense"]
    assert not include_prompt
    first = {"activation": "Tanh", "inputs": 64, "size": 24, "bias": True, "residual": False}
    assert modules[1] == {"type": "Dense", "path": "2_Dense", **first}
    last = {"activation": "Identity", "inputs": 24, "size": 8, "bias": False, "residual": True}
    assert modules[4] == {"type": "Dense", "path": "6_Dense", **last}


def test_a_dense_module_without_an_activation_has_the_library_s(tmp_path):
    folder = embedder(tmp_path, [pooling("mean"), dense(32, 8)])
    (folder / "2_Dense/config.json").write_text(json.dumps({"in_features": 32, "out_features": 8}))
    assert read_modules(folder)[0][1]["activation"] == TANH.rpartition(".")[2]


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("WordEmbeddings", "without a transformer"),
        ("StaticEmbedding", "without a transformer"),
        ("BoW", "without a transformer"),
        ("WordWeights", "weighs words"),
        ("CNN", "network over all tokens"),
        ("LSTM", "network over all tokens"),
        ("WeightedLayerPooling", "every layer"),
        ("Router", "each of its routes"),
        ("Asym", "each of its routes"),
        ("CLIPModel", "pictures"),
        ("SpladePooling", "SparseEncoder"),
        ("MyPooling", "Transformer, Pooling and after these any of Dense, Normalize, LayerNorm, Dropout"),
    ],
)
def test_other_modules_are_refused_with_the_reason(tmp_path, kind, reason):
    folder = embedder(tmp_path, [pooling("mean"), NORMALIZE])
    content = json.loads((folder / "modules.json").read_text())
    content[2]["type"] = f"sentence_transformers.models.{kind}"
    (folder / "modules.json").write_text(json.dumps(content))
    with pytest.raises(SourceError, match=f"modules.json.*{kind}.*{reason}"):
        read_modules(folder)


@pytest.mark.parametrize("kinds", [["Transformer", "Normalize", "Pooling"], ["Pooling"], ["Transformer"], []])
def test_another_order_is_refused(tmp_path, kinds):
    chain = [{"path": f"{place}_{kind}", "type": f"m.{kind}"} for place, kind in enumerate(kinds)]
    (tmp_path / "modules.json").write_text(json.dumps(chain))
    with pytest.raises(SourceError, match="this task serves Transformer, Pooling"):
        read_modules(tmp_path)


@pytest.mark.parametrize("path", ["", ".", "..", "/etc", "../other", "a/b"])
def test_a_module_lies_beside_the_list(tmp_path, path):
    folder = embedder(tmp_path / "model", [pooling("mean"), dense(32, 8)])
    content = json.loads((folder / "modules.json").read_text())
    content[2]["path"] = path
    (folder / "modules.json").write_text(json.dumps(content))
    with pytest.raises(SourceError, match="names the folder"):
        read_modules(folder)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"in_features": 16}, "in_features 16, and the modules before it give 32 numbers"),
        ({"in_features": None}, "in_features None"),
        ({"out_features": 0}, "out_features 0"),
        ({"out_features": True}, "out_features True"),
        ({"activation_function": "my_code.Swish"}, "'my_code.Swish', which is no class of torch.nn"),
    ],
)
def test_an_invalid_dense_module_is_refused(tmp_path, change, says):
    folder = embedder(tmp_path, [pooling("mean"), dense(32, 8)])
    file = folder / "2_Dense/config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    with pytest.raises(SourceError, match=f"2_Dense.config.json' has .*{says}"):
        read_modules(folder)


def test_the_weights_of_modules_are_safe_ones_or_allowed_pickles(tmp_path):
    chain = [pooling("mean"), dense(32, 32), LAYER_NORM]
    folder = embedder(tmp_path, chain)
    files = {path: folder / path / "model.safetensors" for path in ("2_Dense", "3_LayerNorm")}
    assert weight_files(folder, allow_pickle=False) == files
    for file in files.values():
        file.unlink()
    with pytest.raises(SourceError, match=r"2_Dense' has no weights; model.safetensors .*--allow-pickle"):
        weight_files(folder, allow_pickle=False)
    embedder(folder, chain, pickled=True)
    with pytest.raises(SourceError, match=r"2_Dense' are a pickle.*--allow-pickle"):
        weight_files(folder, allow_pickle=False)
    assert weight_files(folder, allow_pickle=True)["2_Dense"].name == "pytorch_model.bin"
    shutil.rmtree(folder / "2_Dense")
    with pytest.raises(SourceError, match="2_Dense' has no weights"):
        weight_files(folder, allow_pickle=True)


def test_damaged_weights_of_a_module_are_refused(tmp_path):
    folder = embedder(tmp_path, [pooling("mean"), dense(32, 8)])
    (folder / "2_Dense/model.safetensors").write_bytes(b"no tensors")
    with pytest.raises(SourceError, match=r"2_Dense.model.safetensors' is damaged"):
        weight_files(folder, allow_pickle=False)


def test_a_plain_folder_has_no_modules(tmp_path):
    assert weight_files(tmp_path, allow_pickle=False) == {}

"""The weights of modules, from safetensors or an allowed pickle, checked against the config."""

import json

import numpy as np
import pytest

from tests.sentence_folders import LAYER_NORM, NORMALIZE, dense, embedder, pooling
from utils.convert.cached_conversion import as_content, files_of, from_content
from utils.convert.sentence_weights import read_weights, write_weights
from utils.convert.types import Conversion, FrozenTokenizer
from utils.host.errors import SourceError
from utils.repository.pipeline import Graph
from utils.sources.sentence_modules import read_modules

CHAIN = [
    pooling("mean"),
    dense(32, 24, use_residual=True),
    (LAYER_NORM[0], {"dimension": 24}),
    dense(24, 8, bias=False),
]
NAMES = {"2_Dense.linear.weight", "2_Dense.linear.bias", "2_Dense.residual.weight", "4_Dense.linear.weight"}
NAMES |= {"3_LayerNorm.norm.weight", "3_LayerNorm.norm.bias"}


def settings_of(folder):
    modules, _ = read_modules(folder)
    return {"modules": {str(place): each for place, each in enumerate(modules)}}


@pytest.mark.parametrize("pickled", [False, True])
def test_the_file_holds_every_weight_in_fp32(tmp_path, pickled):
    folder = embedder(tmp_path / "model", CHAIN, pickled=pickled)
    (file,) = write_weights(folder, settings_of(folder), tmp_path)
    with np.load(file) as arrays:
        assert {name: arrays[name].dtype for name in arrays} == dict.fromkeys(NAMES, np.float32)
        assert arrays["2_Dense.residual.weight"].shape == (24, 32)


def test_a_chain_without_weights_has_no_file(tmp_path):
    folder = embedder(tmp_path / "model", [pooling("mean"), NORMALIZE])
    assert write_weights(folder, settings_of(folder), tmp_path) == ()


@pytest.mark.parametrize(
    ("change", "file"),
    [({"out_features": 25}, "2_Dense"), ({"bias": False}, "2_Dense"), ({"use_residual": False}, "2_Dense")],
)
def test_weights_of_another_module_are_refused(tmp_path, change, file):
    folder = embedder(tmp_path / "model", CHAIN[:2])
    config = folder / file / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), **change}))
    with pytest.raises(SourceError, match=r"2_Dense.model\.safetensors' has the tensors .*not those of its"):
        read_weights(folder, settings_of(folder)["modules"].values())


def test_a_damaged_pickle_is_refused(tmp_path):
    folder = embedder(tmp_path / "model", CHAIN[:2], pickled=True)
    (folder / "2_Dense/pytorch_model.bin").write_bytes(b"no tensors")
    with pytest.raises(SourceError, match=r"pytorch_model\.bin' cannot be loaded"):
        read_weights(folder, settings_of(folder)["modules"].values())


def test_a_kept_conversion_has_the_weights_of_its_modules(tmp_path):
    """They were lost once between two builds: the second one's server had no Dense module."""
    graph = Graph(path=tmp_path / "model.onnx", inputs=(), outputs=())
    frozen = FrozenTokenizer(file=tmp_path / "tokenizer.json", settings={})
    conversion = Conversion(
        graph=graph, tokenizer=frozen, examples=(), answers=(), tolerance=1e-4, checked=1,
        step_files=(tmp_path / "modules.npz",),
    )  # fmt: skip
    assert tmp_path / "modules.npz" in files_of(conversion)
    content = json.loads(json.dumps({**as_content(conversion), "files": {"modules.npz": "digest"}}))
    assert from_content(content, tmp_path / "other").step_files == (tmp_path / "other/modules.npz",)

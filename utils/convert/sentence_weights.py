"""The weights of the Dense and LayerNorm modules of a sentence-transformers folder, as one file for the server.

Packages are imported where they are used: the table of tasks is read before they are installed.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from utils.convert.types import Settings
from utils.host.errors import SourceError
from utils.host.exceptions import explained
from utils.repository.served_code import load_shared
from utils.sources.sentence_folder import root_of
from utils.sources.sentence_modules import PICKLED, weight_files

# {name: FP32 array}
Weights = dict[str, Any]


def write_weights(model_folder: Path, settings: Settings, destination: Path) -> tuple[Path, ...]:
    """The file in `destination` (see WEIGHTS in model_repository/shared/pooled_embeddings.py); () without a weight."""
    weights = read_weights(model_folder, settings["modules"].values())
    if not weights:
        return ()
    import numpy as np

    file = destination / load_shared("pooled_embeddings").WEIGHTS
    np.savez(file, allow_pickle=False, **weights)
    return (file,)


def read_weights(model_folder: Path, modules: Any) -> Weights:
    """{PATH.NAME: FP32 array}. SourceError (exit 3) for weights that do not fit the module's settings.

    Pickled weights were allowed before they were fetched; torch loads tensors only from them.
    """
    chain = [each for each in modules if "path" in each]
    files = weight_files(root_of(model_folder), allow_pickle=True) if chain else {}
    return {
        f"{module['path']}.{name}": array for module in chain for name, array in _checked(module, files[module["path"]])
    }


def _checked(module: Mapping[str, Any], file: Path) -> Iterator[tuple[str, Any]]:
    found = _loaded(file)
    shapes = {name: array.shape for name, array in found.items()}
    allowed = {"norm.weight", "norm.bias"} if module["type"] == "LayerNorm" else _of_dense(module)
    expected = {name: shapes.get(name) for name in allowed}
    if None in expected.values() or set(shapes) != allowed or not _fits(module, shapes):
        listed = ", ".join(f"{name} {list(shape)}" for name, shape in sorted(shapes.items()))
        raise SourceError(
            f"{str(file)!r} has the tensors {listed}, which are not those of its config.json "
            f"({', '.join(sorted(allowed))}); copy the whole folder again"
        )
    yield from found.items()


def _of_dense(module: Mapping[str, Any]) -> set[str]:
    bias = {"linear.bias"} if module["bias"] else set()
    resized = module.get("residual") and module["inputs"] != module["size"]
    return {"linear.weight", *bias, *({"residual.weight"} if resized else ())}


def _fits(module: Mapping[str, Any], shapes: Mapping[str, Sequence[int]]) -> bool:
    if module["type"] == "LayerNorm":
        return len(set(shapes.values())) == 1 and len(shapes["norm.weight"]) == 1
    whole = (module["size"], module["inputs"])
    rows = {"linear.weight": whole, "residual.weight": whole, "linear.bias": whole[:1]}
    return all(tuple(shape) == rows[name] for name, shape in shapes.items())


def _loaded(file: Path) -> Weights:
    """As FP32: a half-precision module is computed in FP32, as the model is."""
    if file.name == PICKLED:
        import torch

        with explained(SourceError, lambda reason: f"{str(file)!r} cannot be loaded: {reason}; save the model again"):
            tensors = torch.load(file, map_location="cpu", weights_only=True)
            return {name: tensor.float().numpy() for name, tensor in tensors.items()}
    from safetensors.torch import load_file

    return {name: tensor.float().numpy() for name, tensor in load_file(file).items()}

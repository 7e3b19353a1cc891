"""Folders of sentence-transformers, made from a transformers folder as version 5 of the library writes them."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

TANH = "torch.nn.modules.activation.Tanh"


def write(file: Path, content: Any) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content), encoding="utf-8")


def pooling(*modes: str, **more: Any) -> tuple[str, dict[str, Any]]:
    return "Pooling", {"pooling_mode": modes[0] if len(modes) == 1 else list(modes), **more}


def dense(inputs: int, outputs: int, activation: str = TANH, **more: Any) -> tuple[str, dict[str, Any]]:
    return "Dense", {"in_features": inputs, "out_features": outputs, "activation_function": activation, **more}


NORMALIZE: tuple[str, dict[str, Any]] = ("Normalize", {})
LAYER_NORM: tuple[str, dict[str, Any]] = ("LayerNorm", {"dimension": 32})


def embedder(
    folder: Path,
    modules: Sequence[tuple[str, Mapping[str, Any]]],
    own: Mapping[str, Any] = {},
    *,
    pickled: bool = False,
) -> Path:
    """Adds `modules` (class and config) to the model in `folder`, with random weights, and `own` as its own config."""
    chain = [("", "Transformer"), *((f"{place}_{kind}", kind) for place, (kind, _) in enumerate(modules, 1))]
    write(
        folder / "modules.json",
        [
            {"idx": place, "name": str(place), "path": path, "type": f"sentence_transformers.models.{kind}"}
            for place, (path, kind) in enumerate(chain)
        ],
    )
    write(folder / "config_sentence_transformers.json", {"__version__": {"sentence_transformers": "5.7.0"}, **own})
    for (path, kind), (_, config) in zip(chain[1:], modules, strict=True):
        if kind == "Pooling":
            write(folder / path / "config.json", {"embedding_dimension": 32, **config})
        elif kind != "Normalize":
            write(folder / path / "config.json", config)
        if kind in ("Dense", "LayerNorm"):
            _save(folder / path, kind, config, pickled=pickled)
    return folder


def _save(folder: Path, kind: str, config: Mapping[str, Any], *, pickled: bool) -> None:
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(11)
    if kind == "LayerNorm":
        weights = {f"norm.{name}": torch.randn(config["dimension"]) for name in ("weight", "bias")}
    else:
        shape = (config["out_features"], config["in_features"])
        weights = {"linear.weight": torch.randn(shape) / 3}
        weights |= {"linear.bias": torch.randn(shape[0])} if config.get("bias", True) else {}
        weights |= (
            {"residual.weight": torch.randn(shape)} if config.get("use_residual") and shape[0] != shape[1] else {}
        )
    if pickled:
        torch.save(weights, folder / "pytorch_model.bin")
    else:
        save_file(weights, folder / "model.safetensors")

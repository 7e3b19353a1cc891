"""Reads modules.json of sentence-transformers, and the settings of each module that makes an embedding of the tokens.

Source: the modules of versions 2 to 6 and the rules by which those versions read each other's files.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from utils.host.errors import SourceError
from utils.host.json_file import exists, read_json, read_json_object
from utils.sources.safetensors_header import read_header

MODULES = "modules.json"
AGAIN = "copy the whole folder again"
SAFE, PICKLED = "model.safetensors", "pytorch_model.bin"
POOLINGS = ("mean", "cls", "max", "mean_sqrt_len_tokens", "weightedmean", "lasttoken")
# The flags of versions before 5.5, in the order in which the library concatenates the results.
FLAGS = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
# After Transformer and Pooling, in any number and order. Dropout does nothing to an embedding.
FURTHER = ("Dense", "Normalize", "LayerNorm", "Dropout")
# Those with settings or weights in a folder of their own.
WITH_FOLDER = ("Pooling", "Dense", "LayerNorm")
ROUTERS = ("Router", "Asym")
# Why other modules are not served.
REASONS = {
    **dict.fromkeys(("WordEmbeddings", "StaticEmbedding", "BoW"), "embeds words without a transformer"),
    "WordWeights": "weighs words by a table of its own",
    **dict.fromkeys(("CNN", "LSTM"), "is a network over all tokens that is not in the model's graph"),
    "WeightedLayerPooling": "needs the states of every layer, and the graph gives those of the last",
    **dict.fromkeys(ROUTERS, "has modules for each kind of text; save each of its routes as a model"),
    **dict.fromkeys(("CLIPModel", "CLIP"), "reads pictures, too"),
    **dict.fromkeys(
        ("MLMTransformer", "SpladePooling", "SparseAutoEncoder", "CSR"),
        "is of a SparseEncoder; build with --task sparse-embedding",
    ),
}
Modules = tuple[Mapping[str, Any], ...]


def module_list(file: Path) -> list[tuple[str, str]]:
    """(class, folder) of each module in modules.json, in order."""
    content = read_json(file, AGAIN)
    if not isinstance(content, list) or not all(isinstance(each, dict) for each in content):
        raise SourceError(f"{str(file)!r} is not a list of modules; {AGAIN}")
    return [(str(each.get("type", "")).rsplit(".", 1)[-1], str(each.get("path", ""))) for each in content]


def read_modules(root: Path, pooling: Sequence[str] = ()) -> tuple[Modules, bool]:
    """The modules after Transformer, as model_repository/shared/pooled_embeddings.py applies them, and include_prompt.

    `pooling` replaces the folder's own modes. SourceError (exit 3) for a module or a setting that is not served.
    """
    file = root / MODULES
    found = module_list(file)
    _require_served(file, [kind for kind, _ in found])
    for kind, path in found:
        if kind in WITH_FOLDER and (not path or Path(path).name != path or path == ".."):
            raise SourceError(f"{str(file)!r} names the folder {path!r} for a module; it must be beside that file")
    config = root / found[1][1] / "config.json"
    if not exists(config):
        raise SourceError(f"{str(config)!r}, which modules.json names, is missing; {AGAIN}")
    content = read_json_object(config, AGAIN)
    modes = tuple(pooling) or _modes(config, content)
    size = content.get("word_embedding_dimension", content.get("embedding_dimension"))
    return ({"type": "Pooling", "modes": list(modes)}, *_further(root, found[2:], size and len(modes) * size)), (
        content.get("include_prompt", True) is not False
    )


def _require_served(file: Path, kinds: list[str]) -> None:
    for kind in kinds:
        if kind in REASONS:
            raise SourceError(f"{str(file)!r} has the module {kind}, which {REASONS[kind]}; use a model without it")
    if kinds[:2] != ["Transformer", "Pooling"] or not set(kinds[2:]) <= {*FURTHER}:
        raise SourceError(
            f"{str(file)!r} has the modules {', '.join(kinds)}; this task serves Transformer, Pooling and after these "
            f"any of {', '.join(FURTHER)}: use a model without others"
        )


def _modes(file: Path, content: Mapping[str, Any]) -> tuple[str, ...]:
    """As the library reads them: pooling_mode, else the flags that are on, else mean."""
    named = content.get("pooling_mode") or [mode for flag, mode in FLAGS.items() if content.get(flag)] or "mean"
    modes = [named] if isinstance(named, str) else named
    if not isinstance(modes, list) or not all(mode in POOLINGS for mode in modes):
        raise SourceError(
            f"{str(file)!r} has pooling_mode {named!r}; allowed are {', '.join(POOLINGS)}, or a list of them"
        )
    return tuple(modes)


def _further(root: Path, modules: Sequence[tuple[str, str]], size: Any) -> Iterator[Mapping[str, Any]]:
    """`size`: of the embedding so far, if the files contain it."""
    for kind, path in modules:
        file = root / path / "config.json"
        if kind == "Dense":
            module = _dense(file, read_json_object(file, AGAIN), size)
            yield {"type": kind, "path": path, **module}
            size = module["size"]
        elif kind == "LayerNorm":
            yield {"type": kind, "path": path}
        elif kind == "Normalize":
            yield {"type": kind}


def _dense(file: Path, content: Mapping[str, Any], size: Any) -> dict[str, Any]:
    """Its activation (a class of torch.nn; without one, the library's Tanh), its residual and its number of outputs."""
    for name in ("in_features", "out_features"):
        if type(content.get(name)) is not int or content[name] < 1:
            raise SourceError(f"{str(file)!r} has {name} {content.get(name)!r}; it must be a positive number; {AGAIN}")
    if isinstance(size, int) and size != content["in_features"]:
        raise SourceError(
            f"{str(file)!r} has in_features {content['in_features']}, and the modules before it give {size} numbers; "
            f"{AGAIN}, or choose the --pooling that the model was trained with"
        )
    named = str(content.get("activation_function", "torch.nn.modules.activation.Tanh"))
    if not named.startswith("torch.nn."):
        raise SourceError(f"{str(file)!r} has the activation_function {named!r}, which is no class of torch.nn")
    return {
        "activation": named.rpartition(".")[2],
        "inputs": content["in_features"],
        "size": content["out_features"],
        "bias": content.get("bias", True) is not False,
        "residual": bool(content.get("use_residual")),
    }


def weight_files(root: Path, *, allow_pickle: bool) -> dict[str, Path]:
    """{folder of a module: the file with its weights}. SourceError for one that is missing, damaged or a pickle."""
    if not exists(root / MODULES):
        return {}
    folders = [path for kind, path in module_list(root / MODULES) if kind in ("Dense", "LayerNorm")]
    return {path: _weight_file(root / path, allow_pickle=allow_pickle) for path in folders}


def _weight_file(folder: Path, *, allow_pickle: bool) -> Path:
    if exists(folder / SAFE):
        read_header(folder / SAFE)
        return folder / SAFE
    if exists(folder / PICKLED) and allow_pickle:
        return folder / PICKLED
    if exists(folder / PICKLED):
        raise SourceError(
            f"the weights in {str(folder)!r} are a pickle ({PICKLED}); loading a pickle can run code in it; load the "
            "model with sentence_transformers in a trusted environment and save it again, or add --allow-pickle"
        )
    pickles = "" if allow_pickle else f" ({PICKLED} is fetched only with --allow-pickle)"
    raise SourceError(f"{str(folder)!r} has no weights; {SAFE} must be beside its config.json{pickles}")

"""Reads a sentence-transformers folder: how the model's outputs become an embedding or a score.

Source: the files that sentence-transformers 2 to 6 write: modules.json, 1_Pooling/config.json,
sentence_bert_config.json (or of another model's name) and config_sentence_transformers.json. A sparse encoder has
1_SpladePooling/config.json.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from utils.host.errors import SourceError
from utils.host.json_file import exists, read_json, read_json_object
from utils.sources.whole_numbers import whole

MODULES = "modules.json"
OLD_FOLDER = re.compile(r"[0-9]+_Transformer")
AGAIN = "copy the whole folder again"
OWN_CONFIG = "config_sentence_transformers.json"
POOLINGS = ("mean", "cls", "max")
# The settings of a SpladePooling, and what SparseEncoder uses for a plain masked-language model.
SPLADE_CHOICES = {"pooling_strategy": ("max", "sum"), "activation_function": ("relu", "log1p_relu")}
SPLADE_DEFAULTS = {"pooling_strategy": "max", "activation_function": "relu"}
# Version 5 writes the mode; earlier ones a flag for each.
FLAGS = {"cls_token": "cls", "mean_tokens": "mean", "max_tokens": "max"}


@dataclass(frozen=True, kw_only=True)
class SentenceFolder:
    """`pooling` is one of POOLINGS; `truncate_dim` numbers of an embedding are kept; None: not in the folder.

    `activation` is the class of torch, with its module, applied to a cross-encoder's logits.
    """

    pooling: str | None = None
    normalize: bool = False
    truncate_dim: int | None = None
    activation: str | None = None
    max_length: int | None = None
    lower_case: bool = False


def read_sentence_folder(folder: Path, *, pooling: str | None = None) -> SentenceFolder:
    """The settings in `folder`, defaults for a plain transformers folder. `pooling` replaces the folder's own.

    SourceError (exit 3) for settings with which this factory would serve other answers than sentence-transformers.
    """
    root = root_of(folder)
    if not exists(root / MODULES):
        return SentenceFolder(pooling=pooling)
    _require_type(root, "SentenceTransformer")
    modules = _modules(root / MODULES, (["Transformer", "Pooling"], ["Transformer", "Pooling", "Normalize"]))
    return SentenceFolder(
        pooling=pooling or next((_pooling(root / path) for kind, path in modules if kind == "Pooling"), None),
        normalize=any(kind == "Normalize" for kind, _ in modules),
        truncate_dim=_truncate_dim(root),
        **_before_the_model(root, folder),
    )


def read_ranking_folder(folder: Path) -> SentenceFolder:
    """The settings of a CrossEncoder (version 6; earlier ones write config.json only); SourceError as above."""
    if not exists(folder / MODULES):
        return SentenceFolder()
    _require_type(folder, "CrossEncoder")
    _modules(folder / MODULES, (["Transformer"],))
    activation = read_json_object(folder / OWN_CONFIG, AGAIN).get("activation_fn")
    name = None if activation is None else str(activation)
    return SentenceFolder(activation=name, **_before_the_model(folder, folder))


def read_sparse_folder(folder: Path) -> tuple[SentenceFolder, dict[str, str]]:
    """The settings of a SparseEncoder, and those of its SpladePooling; the library's defaults for a plain folder."""
    if not exists(folder / MODULES):
        return SentenceFolder(), dict(SPLADE_DEFAULTS)
    _require_type(folder, "SparseEncoder")
    chains = (["Transformer", "SpladePooling"], ["MLMTransformer", "SpladePooling"])
    (_, (_, path)) = _modules(folder / MODULES, chains)
    file = folder / path / "config.json"
    content = {**SPLADE_DEFAULTS, **read_json_object(file, AGAIN)}
    for name, allowed in SPLADE_CHOICES.items():
        if content[name] not in allowed:
            raise SourceError(f"{str(file)!r} has {name} {content[name]!r}; this task serves {' or '.join(allowed)}")
    return SentenceFolder(**_before_the_model(folder, folder)), {name: content[name] for name in SPLADE_CHOICES}


def root_of(folder: Path) -> Path:
    """The folder with modules.json for the model in `folder`: the parent in the layout before 2.0, else `folder`."""
    if not exists(folder / MODULES) and exists(folder.parent / MODULES):
        return folder.parent if transformer_folder(folder.parent) == folder else folder
    return folder


def transformer_folder(folder: Path) -> Path:
    """The model's own folder: 0_Transformer in the layout of sentence-transformers before 2.0, else `folder`."""
    if not exists(folder / MODULES):
        return folder
    content = read_json(folder / MODULES, AGAIN)
    first = content[0] if isinstance(content, list) and content and isinstance(content[0], dict) else {}
    inner = folder / str(first.get("path") or "")
    is_one = OLD_FOLDER.fullmatch(inner.name) and inner.parent == folder and (inner / "config.json").is_file()
    return inner if is_one else folder


def _require_type(folder: Path, required: str) -> None:
    """SourceError for a folder of another class: the library then ignores the other settings in the folder."""
    file = folder / OWN_CONFIG
    found = read_json_object(file, AGAIN).get("model_type", "SentenceTransformer")  # the library's own default
    if found != required:
        raise SourceError(
            f"{str(file)!r} has the model_type {found}; this task serves a {required}; choose another --task, or "
            f"save the model as a {required}"
        )


def _before_the_model(root: Path, folder: Path) -> dict[str, Any]:
    """The truncation and case of texts; SourceError for a prompt."""
    _refuse_prompt(root)
    file, settings = _transformer_settings(folder)
    limit = whole(settings.get("max_seq_length"), file, "max_seq_length") or 0
    return {"max_length": limit if limit > 0 else None, "lower_case": bool(settings.get("do_lower_case"))}


def _modules(file: Path, served: Sequence[list[str]]) -> list[tuple[str, str]]:
    """(class, folder) of each module, in order: one of the chains in `served`."""
    content = read_json(file, AGAIN)
    if not isinstance(content, list) or not all(isinstance(each, dict) for each in content):
        raise SourceError(f"{str(file)!r} is not a list of modules; {AGAIN}")
    modules = [(str(each.get("type", "")).rsplit(".", 1)[-1], str(each.get("path", ""))) for each in content]
    kinds = [kind for kind, _ in modules]
    if kinds not in served:
        raise SourceError(
            f"{str(file)!r} has the modules {', '.join(kinds)}; this task serves "
            f"{' or '.join(', '.join(chain) for chain in served)}: use a model without the others"
        )
    return modules


def _pooling(folder: Path) -> str:
    file = folder / "config.json"
    if not exists(file):
        raise SourceError(f"{str(file)!r}, which modules.json names, is missing; {AGAIN}, or add --pooling")
    content = read_json_object(file, AGAIN)
    named = content.get("pooling_mode")
    flags = [name.removeprefix("pooling_mode_") for name, on in content.items() if name[:13] == "pooling_mode_" and on]
    modes = [FLAGS.get(flag, flag) for flag in flags] if named is None else named
    modes = [modes] if isinstance(modes, str) else list(modes)
    if len(modes) != 1 or modes[0] not in POOLINGS:
        raise SourceError(
            f"{str(file)!r} has the pooling {' and '.join(map(str, modes)) or 'nothing'}; this factory serves one of "
            f"{', '.join(POOLINGS)}: add --pooling with one of these to serve other embeddings"
        )
    return str(modes[0])


def _transformer_settings(folder: Path) -> tuple[Path, dict[str, Any]]:
    """sentence_bert_config.json, or the file with another model type in its name, and its content."""
    found = [*sorted(folder.glob("sentence_*_config.json")), folder / "sentence_bert_config.json"]
    return found[0], read_json_object(found[0], AGAIN)


def _truncate_dim(folder: Path) -> int | None:
    file = folder / OWN_CONFIG
    size = read_json_object(file, AGAIN).get("truncate_dim")
    if size is not None and (type(size) is not int or size < 1):
        raise SourceError(f"{str(file)!r} has truncate_dim {size!r}; it must be a positive whole number, or null")
    return size


def _refuse_prompt(folder: Path) -> None:
    file = folder / OWN_CONFIG
    name = read_json_object(file, AGAIN).get("default_prompt_name")
    if name is not None:
        raise SourceError(
            f"{str(file)!r} adds the prompt {name!r} to every text (default_prompt_name), which this factory does "
            "not support: set it to null, and send texts that begin with the prompt"
        )

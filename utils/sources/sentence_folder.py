"""Reads a sentence-transformers folder: how the model's outputs become an embedding or a score.

Source: the files that sentence-transformers 2 to 6 write: modules.json, 1_Pooling/config.json,
sentence_bert_config.json (or of another model's name) and config_sentence_transformers.json. A sparse encoder has
1_SpladePooling/config.json.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from utils.host.errors import SourceError
from utils.host.json_file import exists, read_json, read_json_object
from utils.sources.sentence_modules import AGAIN, MODULES, REASONS, ROUTERS, Modules, module_list, read_modules
from utils.sources.whole_numbers import whole

OLD_FOLDER = re.compile(r"[0-9]+_Transformer")
OWN_CONFIG = "config_sentence_transformers.json"
# The settings of a SpladePooling, and what SparseEncoder uses for a plain masked-language model.
SPLADE_CHOICES = {"pooling_strategy": ("max", "sum"), "activation_function": ("relu", "log1p_relu")}
SPLADE_DEFAULTS = {"pooling_strategy": "max", "activation_function": "relu"}
# The prompts that every SentenceTransformer and SparseEncoder has, but no CrossEncoder; a folder gives their texts.
PROMPTS = {"query": "", "document": ""}
SIMILARITIES = ("cosine", "dot", "euclidean", "manhattan")


@dataclass(frozen=True, kw_only=True)
class SentenceFolder:
    """What the folder's files say; the defaults are those of the library.

    `modules`: see read_modules; () for a folder without. `include_prompt` False: the tokens of a prompt are not pooled.
    `prompts`: {name: text}, `default_prompt`: a name. `truncate_dim` numbers of an embedding are kept,
    `max_active_dims` weights of a sparse one. `activation` is the class of torch, with its module, applied to a
    cross-encoder's logits.
    """

    modules: Modules = ()
    include_prompt: bool = True
    prompts: Mapping[str, str] = field(default_factory=lambda: dict(PROMPTS))
    default_prompt: str | None = None
    similarity: str = SIMILARITIES[0]
    truncate_dim: int | None = None
    max_active_dims: int | None = None
    activation: str | None = None
    max_length: int | None = None
    lower_case: bool = False


def read_sentence_folder(folder: Path, *, pooling: Sequence[str] = ()) -> SentenceFolder:
    """The settings in `folder`, defaults for a plain transformers folder. `pooling` replaces the folder's own modes.

    SourceError (exit 3) for settings with which this factory would serve other answers than sentence-transformers.
    """
    root = root_of(folder)
    if not exists(root / MODULES):
        return SentenceFolder()
    own = _own_settings(root / OWN_CONFIG, "SentenceTransformer")
    modules, include_prompt = read_modules(root, pooling)
    return SentenceFolder(
        modules=modules,
        include_prompt=include_prompt,
        **_prompts(root / OWN_CONFIG, own, PROMPTS),
        similarity=_similarity(root / OWN_CONFIG, own),
        truncate_dim=_positive(root / OWN_CONFIG, own, "truncate_dim"),
        **_before_the_model(folder),
    )


def read_ranking_folder(folder: Path) -> SentenceFolder:
    """The settings of a CrossEncoder (version 6; earlier ones write config.json only); SourceError as above."""
    if not exists(folder / MODULES):
        return SentenceFolder(prompts={})
    own = _own_settings(folder / OWN_CONFIG, "CrossEncoder")
    _one_of(folder / MODULES, (["Transformer"],))
    prompts, activation = _prompts(folder / OWN_CONFIG, own, {}), own.get("activation_fn")
    name = None if activation is None else str(activation)
    return SentenceFolder(activation=name, **prompts, **_before_the_model(folder))


def read_sparse_folder(folder: Path) -> tuple[SentenceFolder, dict[str, str]]:
    """The settings of a SparseEncoder, and those of its SpladePooling; the library's defaults for a plain folder."""
    if not exists(folder / MODULES):
        return SentenceFolder(), dict(SPLADE_DEFAULTS)
    own = _own_settings(folder / OWN_CONFIG, "SparseEncoder")
    chains = (["Transformer", "SpladePooling"], ["MLMTransformer", "SpladePooling"])
    (_, (_, path)) = _one_of(folder / MODULES, chains)
    prompts = _prompts(folder / OWN_CONFIG, own, PROMPTS)
    file = folder / path / "config.json"
    content = {**SPLADE_DEFAULTS, **read_json_object(file, AGAIN)}
    for name, allowed in SPLADE_CHOICES.items():
        if content[name] not in allowed:
            raise SourceError(f"{str(file)!r} has {name} {content[name]!r}; this task serves {' or '.join(allowed)}")
    most = _positive(folder / OWN_CONFIG, own, "max_active_dims")
    found = SentenceFolder(max_active_dims=most, **prompts, **_before_the_model(folder))
    return found, {name: content[name] for name in SPLADE_CHOICES}


def _one_of(file: Path, served: Sequence[list[str]]) -> list[tuple[str, str]]:
    """(class, folder) of each module, in order: one of the chains in `served`."""
    modules = module_list(file)
    kinds = [kind for kind, _ in modules]
    if refused := next((kind for kind in kinds if kind in ROUTERS), None):
        raise SourceError(f"{str(file)!r} has the module {refused}, which {REASONS[refused]}")
    if kinds not in served:
        raise SourceError(
            f"{str(file)!r} has the modules {', '.join(kinds)}; this task serves "
            f"{' or '.join(', '.join(chain) for chain in served)}: use a model without the others"
        )
    return modules


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


def _own_settings(file: Path, required: str) -> dict[str, Any]:
    """The content of OWN_CONFIG. SourceError for a folder of another class, whose settings the library ignores."""
    content = read_json_object(file, AGAIN)
    found = content.get("model_type", "SentenceTransformer")  # the library's own default
    if found != required:
        raise SourceError(
            f"{str(file)!r} has the model_type {found}; this task serves a {required}; choose another --task, or "
            f"save the model as a {required}"
        )
    return content


def _before_the_model(folder: Path) -> dict[str, Any]:
    """The truncation and case of texts."""
    # sentence_bert_config.json, or the file with another model type in its name
    file = next(iter(sorted(folder.glob("sentence_*_config.json"))), folder / "sentence_bert_config.json")
    settings = read_json_object(file, AGAIN)
    limit = whole(settings.get("max_seq_length"), file, "max_seq_length") or 0
    return {"max_length": limit if limit > 0 else None, "lower_case": bool(settings.get("do_lower_case"))}


def _prompts(file: Path, content: Mapping[str, Any], usual: Mapping[str, str]) -> dict[str, Any]:
    """The texts of the prompts by name, null as an empty one, and the name of the default prompt: two fields.

    `usual`: the prompts that the library's class always has.
    """
    own, default = content.get("prompts") or {}, content.get("default_prompt_name")
    if not isinstance(own, dict) or not all(isinstance(text, str | None) for text in own.values()):
        raise SourceError(f"{str(file)!r} has prompts {own!r}; they must be an object with a text for each name")
    prompts = {**usual, **{name: text or "" for name, text in own.items()}}
    if default is not None and default not in prompts:
        raise SourceError(
            f"{str(file)!r} has the default_prompt_name {default!r}, and its prompts are "
            f"{', '.join(prompts) or 'none'}; correct the name, or set it to null"
        )
    return {"prompts": prompts, "default_prompt": default}


def _similarity(file: Path, content: Mapping[str, Any]) -> str:
    name = content.get("similarity_fn_name") or SIMILARITIES[0]
    if name not in SIMILARITIES:
        raise SourceError(f"{str(file)!r} has similarity_fn_name {name!r}; allowed are {', '.join(SIMILARITIES)}")
    return str(name)


def _positive(file: Path, content: Mapping[str, Any], name: str) -> int | None:
    size: int | None = content.get(name)
    if size is not None and (type(size) is not int or size < 1):
        raise SourceError(f"{str(file)!r} has {name} {size!r}; it must be a positive whole number, or null")
    return size

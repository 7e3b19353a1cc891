"""The adapter of a PEFT fine-tuning: what its files contain, checked before any weights of its base are fetched.

Source: adapter_config.json and adapter_model.safetensors as PEFT 0.21 writes them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from utils.host.errors import SourceError
from utils.host.json_file import exists, read_json_object
from utils.sources.known_keys import tables
from utils.sources.known_keys.folder import unread_in_adapter
from utils.sources.known_keys.judge import require_understood
from utils.sources.model_config import ADAPTER
from utils.sources.requirements import SourceRequirements
from utils.sources.safetensors_header import Shapes, read_header

SAFE, PICKLED = "adapter_model.safetensors", "adapter_model.bin"
AGAIN = "save the adapter again with PeftModel.save_pretrained()"
# PEFT writes the names of the base model's modules with this prefix.
PREFIX = "base_model.model."
_VECTORS = "it adds trained vectors to the input of layers, which weights cannot contain"
# Types of PEFT -> why they cannot be merged. The others are in known_keys/data/adapter_keys.json; that their merged
# model answers as the unmerged one does is shown by tests/unit/convert/test_adapter.py.
UNMERGED = {
    **dict.fromkeys(
        ("PROMPT_TUNING", "MULTITASK_PROMPT_TUNING", "P_TUNING", "PREFIX_TUNING", "CPT", "CARTRIDGE"), _VECTORS
    ),
    "ADAPTION_PROMPT": _VECTORS,
    "XLORA": "it weighs several adapters by the text",
    "POLY": "it selects from several adapters by a task number in the request",
    "LILY": "PEFT has no merge for it",
    "LN_TUNING": "PEFT leaves its head beside the merged weights",
    "SHADOW": "it runs a second model beside the base",
    "ADAMSS": "PEFT needs scikit-learn for it",
}
# task_type -> the export task of the models that it is for.
TASKS = {
    "SEQ_CLS": "text-classification",
    "TOKEN_CLS": "token-classification",
    "QUESTION_ANS": "question-answering",
    "FEATURE_EXTRACTION": "feature-extraction",
}


@dataclass(frozen=True, kw_only=True)
class Adapter:
    """`base` and `revision`: the model that it was trained on, as its file names it; None: not named.

    `accepted`: the settings left unread because of --accept-unknown.
    """

    folder: Path
    kind: str
    base: str | None
    revision: str | None
    accepted: tuple[str, ...] = ()


def is_adapter(folder: Path) -> bool:
    """Whether PEFT, and transformers with PEFT installed, load an adapter from `folder`."""
    return folder.is_dir() and exists(folder / ADAPTER)


def read_adapter(folder: Path, argument: str, requirements: SourceRequirements) -> Adapter:
    """What adapter_config.json says. SourceError (exit 3) if it is missing or the adapter cannot be served.

    `argument`: the one that named the folder, for messages.
    """
    file = folder / ADAPTER
    if not is_adapter(folder):
        raise SourceError(
            f"{argument} {str(folder)!r} has no {ADAPTER}; pass a folder that PEFT's save_pretrained() wrote"
        )
    content = read_json_object(file, AGAIN)
    kind = str(content.get("peft_type"))
    if kind in UNMERGED:
        raise SourceError(
            f"{str(file)!r} has the peft_type {kind}, which cannot be merged into its base model: {UNMERGED[kind]}; "
            "use an adapter of another type, such as LORA"
        )
    if kind not in tables.adapter_types():
        known = ", ".join(tables.adapter_types())
        raise SourceError(f"{str(file)!r} has the peft_type {kind}; this factory merges {known}")
    _check_task(file, content.get("task_type"), requirements.export_task)
    unread = unread_in_adapter(folder, argument, content)
    return Adapter(
        folder=folder,
        kind=kind,
        base=_text(content, "base_model_name_or_path", file),
        revision=_text(content, "revision", file),
        accepted=require_understood(unread, requirements.accept_unknown),
    )


def _text(content: Mapping[str, Any], key: str, file: Path) -> str | None:
    value = content.get(key)
    if value is not None and not isinstance(value, str):
        raise SourceError(f"{str(file)!r} has {key} {value!r}; it must be a text or null; {AGAIN}")
    return value or None


def _check_task(file: Path, task_type: object, export_task: str) -> None:
    if task_type is None or TASKS.get(str(task_type)) == export_task:
        return
    fitting = [name for name, task in TASKS.items() if task == export_task]
    raise SourceError(
        f"{str(file)!r} has the task_type {task_type}, and this task needs {' or '.join([*fitting, 'null'])}; choose "
        "another --task or another adapter"
    )


def weights_of(*, allow_pickle: bool) -> tuple[str, ...]:
    """The names of the weight files to fetch."""
    return (SAFE, PICKLED) if allow_pickle else (SAFE,)


def read_shapes(folder: Path, *, allow_pickle: bool) -> Shapes:
    """The adapter's tensors, named as the base model's modules; SourceError for missing or damaged weights."""
    if exists(folder / SAFE):
        shapes = read_header(folder / SAFE)
    elif exists(folder / PICKLED) and allow_pickle:
        shapes = _of_pickle(folder / PICKLED)
    elif exists(folder / PICKLED):
        raise SourceError(
            f"the adapter's weights in {str(folder)!r} are a pickle ({PICKLED}); loading a pickle can run code in it; "
            f"{AGAIN}, or add --allow-pickle"
        )
    else:
        pickles = "" if allow_pickle else f" ({PICKLED} is read only with --allow-pickle)"
        raise SourceError(f"the adapter in {str(folder)!r} has no weights; {SAFE} must be beside {ADAPTER}{pickles}")
    return {name.removeprefix(PREFIX): shape for name, shape in shapes.items()}


def _of_pickle(file: Path) -> Shapes:
    import torch

    try:
        content = torch.load(file, map_location="meta", weights_only=True)
        return {str(name): tuple(tensor.shape) for name, tensor in content.items()}
    except Exception as error:  # torch raises any type
        reason = " ".join(str(error).split())[:200]
        raise SourceError(f"{str(file)!r} is no PyTorch checkpoint of tensors ({reason}); {AGAIN}") from error

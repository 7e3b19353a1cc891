"""The base model of an adapter: which one it is, and whether another one fits."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from utils.host.errors import SourceError
from utils.host.progress import warn
from utils.sources.adapter import Adapter
from utils.sources.checkpoint import EMBEDDING_WEIGHTS, Checkpoint, embedding_rows
from utils.sources.model_config import ADAPTER, ModelConfig
from utils.sources.safetensors_header import Shapes
from utils.sources.storage import StorageRef

OF_HUB = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?")
# The parts of a module's name at which the parameters of LoRA begin; those of other types begin where no base tensor
# has the name.
LORA = re.compile(r"\.(lora_[A-Za-z_]+)(\.weight)?$")
IN, OUT = ("lora_A", "lora_embedding_A"), ("lora_B", "lora_embedding_B")


def named_base(adapter: Adapter) -> StorageRef:
    """The base that the adapter names: a folder of this machine if there is one, else a repository of the hub."""
    file = str(adapter.folder / ADAPTER)
    give = "give the base as MODEL and the adapter with --adapter"
    if adapter.base is None:
        raise SourceError(f"{file!r} does not name a base model (base_model_name_or_path); {give}")
    if Path(adapter.base).expanduser().is_dir():
        return StorageRef(scheme="local", locator=adapter.base)
    if not OF_HUB.fullmatch(adapter.base):
        raise SourceError(
            f"{file!r} names the base {adapter.base!r}, which is neither a folder here nor a name of the hub; {give}"
        )
    return _on_hub(adapter)


def _on_hub(adapter: Adapter) -> StorageRef:
    revision = f"@{adapter.revision}" if adapter.revision else ""
    return StorageRef(scheme="hf", locator=f"{adapter.base}{revision}")


def require_base(adapter: Adapter, model: StorageRef, resolve: Callable[[StorageRef], str]) -> None:
    """SourceError if `model` is certainly not the base that the adapter names; a warning if names cannot decide.

    `resolve` gives the revision of a reference.
    """
    if model.scheme == "hf" and adapter.base and OF_HUB.fullmatch(adapter.base):
        name = model.locator.partition("@")[0]
        if name.lower() == adapter.base.lower():
            _require_revision(adapter, model, resolve)
            return
        if "/" in name and "/" in adapter.base:
            raise SourceError(
                f"the adapter in {str(adapter.folder)!r} was trained on hf:{adapter.base}, and MODEL is {model}; give "
                f"hf:{adapter.base} as MODEL; for a copy of it under another name, download that and give its folder"
            )
    named = Path(adapter.base).expanduser() if adapter.base else None
    if model.scheme == "local" and named and named.exists() and named.samefile(Path(model.locator).expanduser()):
        return
    warn(
        f"the adapter in {str(adapter.folder)!r} names {adapter.base or 'no model'!r} as its base, and MODEL is "
        f"{str(model)!r}: only names and shapes of tensors are compared; answers are right only if both have the same "
        "weights"
    )


def _require_revision(adapter: Adapter, model: StorageRef, resolve: Callable[[StorageRef], str]) -> None:
    if adapter.revision is None:
        return
    expected, found = resolve(_on_hub(adapter)), resolve(model)
    if expected != found:
        raise SourceError(
            f"the adapter in {str(adapter.folder)!r} was trained on revision {adapter.revision} of hf:{adapter.base} "
            f"({expected}), and MODEL {model} is revision {found}; give hf:{adapter.base}@{adapter.revision} as MODEL"
        )


def check_fit(adapter: Adapter, shapes: Shapes, base: Checkpoint, config: ModelConfig) -> None:
    """SourceError if the adapter's tensors certainly do not belong to the base's; nothing is loaded."""
    known = {plain: shape for name, shape in base.shapes.items() for plain in _plain(name)}
    cause = f"the adapter in {str(adapter.folder)!r} does not fit its base {str(base.source)!r}"
    remedy = f"the adapter was trained on {adapter.base or 'another model'}: give that as MODEL"
    found, rows = 0, embedding_rows(base, config)
    for name, shape in shapes.items():
        if name.endswith(EMBEDDING_WEIGHTS) and rows is not None and shape[0] != rows:
            raise SourceError(
                f"{cause}: its {name} has {shape[0]} rows, and the base has {rows}; the vocabulary was "
                "resized for the training: resize that of the base, too, save it, and give it as MODEL with --adapter"
            )
        lora = LORA.search(name)
        weight = f"{name[: lora.start()]}.weight" if lora else _weight_of(name, known)
        place = next((each for each in _plain(weight or "") if each in known), None)
        found += place is not None
        if not lora:
            continue
        if place is None:
            raise SourceError(f"{cause}: the base has no tensor {weight}; {remedy}")
        size = shape[1] if lora[1] in IN else shape[0] if lora[1] in OUT else None
        if size is not None and (base_shape := known[place]) is not None and size not in base_shape:
            raise SourceError(
                f"{cause}: {name} has {'x'.join(map(str, shape))} numbers, and {place} of the base has "
                f"{'x'.join(map(str, base_shape))}; {remedy}"
            )
    if not found:
        raise SourceError(f"{cause}: no tensor of it belongs to a module of the base; {remedy}")


def _plain(name: str) -> Iterator[str]:
    """The name, and without its first part: a model with a head has the name of its body there, its body has not."""
    yield name
    if name.count(".") > 1:
        yield name.partition(".")[2]


def _weight_of(name: str, known: dict[str, tuple[int, ...] | None]) -> str | None:
    """The weight of the innermost module of the base that the tensor is in."""
    parts = name.split(".")
    places = (".".join((*parts[:count], "weight")) for count in range(len(parts), 0, -1))
    return next((place for place in places if any(each in known for each in _plain(place))), None)

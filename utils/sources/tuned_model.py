"""A base model and its adapter as one model folder: its small files, and later the merged weights."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from utils.host.errors import SourceError
from utils.host.json_file import exists, read_json_object
from utils.sources.adapter import Adapter, is_adapter
from utils.sources.adapter_base import check_fit
from utils.sources.checkpoint import Checkpoint, head_outputs
from utils.sources.model_config import ADAPTER, ModelConfig
from utils.sources.safetensors_header import Shapes
from utils.sources.sentence_folder import transformer_folder
from utils.sources.sentence_modules import MODULES
from utils.sources.storage import METADATA, WEIGHTS, StorageRef, matches
from utils.targets.exporters import OPTIMUM

CONFIG = "config.json"
# Files of sentence-transformers beside a model, and their folders.
OF_SENTENCES = (MODULES, "config_sentence_transformers.json", "sentence_*_config.json")


@dataclass(frozen=True, kw_only=True)
class TunedModel:
    """`base`: the folder of the base. `root`: that of the merged model, which `make` begins.

    `shapes`: the adapter's tensors, named as in the base. `references`: the one beside MODEL, by its name among the
    revisions: {"adapter": that of --adapter} or {"base": the model that the adapter names}.
    """

    base: Path
    adapter: Adapter
    shapes: Shapes
    root: Path
    references: Mapping[str, StorageRef]

    @property
    def folder(self) -> Path:
        """The folder for config.json and the weights: `root`, or 0_Transformer in it."""
        inner = transformer_folder(self.base)
        return self.root if self._has_modules else self.root / inner.relative_to(self.base)

    @property
    def _has_modules(self) -> bool:
        return exists(self.adapter.folder / MODULES)

    def check(self, base: Checkpoint | None, config: ModelConfig) -> Checkpoint | None:
        """The tensors of the merged model, as far as they are known; SourceError if the adapter does not fit the base.

        A whole tensor of the adapter (modules_to_save) replaces the base's.
        """
        if config.exporter != OPTIMUM:
            raise SourceError(
                f"the base {str(self.base)!r} needs the exporter {config.exporter}, and adapters are merged for "
                f"{OPTIMUM} only; merge the adapter yourself (merge_and_unload()) and save the whole model"
            )
        if base is None:
            return None
        check_fit(self.adapter, self.shapes, base, config)
        return Checkpoint(source=base.source, shapes={**base.shapes, **self.shapes})

    def make(self, export_task: str) -> None:
        """Links the small files of both models, with a config.json that has as many labels as the adapter's head.

        If the adapter's folder has the modules.json of sentence-transformers, the files of the modules are the
        adapter's. SourceError for a base that is an adapter.
        """
        inner = transformer_folder(self.base)
        if is_adapter(self.base) or is_adapter(inner):
            raise SourceError(
                f"the base {str(self.base)!r} of the adapter in {str(self.adapter.folder)!r} has {ADAPTER}: it is an "
                "adapter itself; merge it into its own base (merge_and_unload()), save the result and give that as "
                "MODEL with --adapter"
            )
        self.link(self.base)
        if config := read_json_object(inner / CONFIG, "save the base model again"):
            content = json.dumps(_with_head(config, self.shapes, export_task))
            (self.folder / CONFIG).unlink()
            (self.folder / CONFIG).write_text(content, encoding="utf-8")

    def link(self, base: Path) -> None:
        """The links that are not there yet: the weights of modules come after the small files."""
        self.folder.mkdir(parents=True, exist_ok=True)
        root, adapter = transformer_folder(base) if self._has_modules else base, self.adapter.folder
        for source in (root, *([adapter] if self._has_modules else [])):
            for name, file in _files(source).items():
                of_sentences = matches(name, OF_SENTENCES) or "/" in name
                link = self.root / name
                if (of_sentences == (source == adapter) or not self._has_modules) and not link.exists():
                    link.parent.mkdir(parents=True, exist_ok=True)
                    link.symlink_to(file.absolute())


def _files(folder: Path) -> dict[str, Path]:
    """Files of a model by name, but the weights of the model itself: those of the merged model replace them."""
    own = transformer_folder(folder)
    found = {
        file.relative_to(folder).as_posix(): file for pattern in METADATA + WEIGHTS for file in folder.glob(pattern)
    }
    return {
        name: file
        for name, file in found.items()
        if file.name != ADAPTER
        and not (file.parent == own and matches(file.name, ("*.safetensors*", "*.bin", "*.index.json")))
    }


def _with_head(config: dict[str, Any], shapes: Shapes, export_task: str) -> dict[str, Any]:
    sizes = set(head_outputs(shapes, str(config.get("model_type")), export_task).values())
    labels = config.get("id2label")
    size = len(labels) if isinstance(labels, dict) else config.get("num_labels", 2)
    if not sizes or size in sizes:
        return config
    kept = {name: value for name, value in config.items() if name not in ("id2label", "label2id")}
    return {**kept, "num_labels": sizes.pop()}

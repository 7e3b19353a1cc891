"""A conversion as JSON values and back, and its cache key. Imports no torch."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from utils.convert import cache
from utils.convert.origins.origin import Source
from utils.convert.task import ModelTask
from utils.convert.types import Conversion
from utils.evaluation.calibration_file import CalibrationFile
from utils.evaluation.eval_file import EvalFile
from utils.host.environments import ENVIRONMENTS, PEFT, SENTENCES, SENTENCES6
from utils.proof.golden_file import converter
from utils.sources.fetch import Metadata
from utils.sources.storage import StorageRef
from utils.targets.target import Target

# parity.py checks no larger batches.
MOST_CHECKED = 5


def checked_rows(max_batch_size: int) -> int:
    """The largest batch that parity checks for `max_batch_size`."""
    return min(max_batch_size, MOST_CHECKED)


def key_of(
    source: Source,
    task: ModelTask,
    target: Target,
    known: Metadata,
    settings: Mapping[str, Any],
    eval_file: EvalFile | None,
    calibration_file: CalibrationFile | None,
) -> str:
    """The digest of all inputs of a conversion and its answers: not names, tag, batch size, or labels put in later."""
    sources = source.sources
    return cache.key_of(
        {
            "model": _identity(sources.model, known.revisions["model"]),
            "tokenizer": _identity(sources.tokenizer, known.revisions["tokenizer"]),
            "beside": {name: _identity(each, known.revisions[name]) for name, each in known.references.items()},
            "peft": PEFT.digest() if known.tuned else None,
            "task": task.name,
            "library": [each.digest() for each in (ENVIRONMENTS[task.library], SENTENCES)] if task.library else None,
            "writers": SENTENCES6.digest(),  # of its base, transformers 5, too
            "settings": {name: value for name, value in settings.items() if name not in task.not_in_cache_key},
            "labels": None if task.relabelled else list(known.label_texts),
            "form": asdict(target.form),
            "max_length": target.max_length,
            "exporter": known.config.exporter,
            "opset": target.release.opset,
            "max_ir": target.release.max_ir,
            "precision": target.reduction.precision.name,
            "computed_by": target.engine.name if target.reduction.precision.reducer is None else None,
            "agrees_where_served": target.agrees_where_served,
            "min_agreement": target.reduction.min_agreement,
            "max_drift": target.reduction.max_drift,
            "calibrated": calibration_file.digest if calibration_file else None,
            "evaluated": [eval_file.kind_name, eval_file.digest, *eval_file.labels] if eval_file else None,
            "allow_pickle": sources.requirements.allow_pickle,
        }
    )


def _identity(reference: StorageRef | None, revision: str) -> list[str]:
    """A local folder is identified by its content alone."""
    return [revision] if reference is None or reference.scheme == "local" else [str(reference), revision]


def as_content(conversion: Conversion) -> dict[str, Any]:
    """All of it in JSON values; its files are named without their folder."""
    graph = replace(conversion.graph, path=Path(conversion.graph.path.name))
    tokenizer = replace(conversion.tokenizer, file=Path(conversion.tokenizer.file.name))
    files = tuple(Path(file.name) for file in conversion.step_files)
    return dict(converter().unstructure(replace(conversion, graph=graph, tokenizer=tokenizer, step_files=files)))


def files_of(conversion: Conversion) -> list[Path]:
    """The graph, its external data, the tokenizer, and what the steps need beside these."""
    graph = conversion.graph
    beside = (graph.path.parent / name for name in graph.external_files)
    return [graph.path, *beside, conversion.tokenizer.file, *conversion.step_files]


def from_content(content: Mapping[str, Any], folder: Path) -> Conversion:
    """The conversion whose files lie in `folder`."""
    values = {name: value for name, value in content.items() if name != cache.FILES}
    return converter(folder).structure(values, Conversion)

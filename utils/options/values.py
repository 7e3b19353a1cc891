"""Defaults, choices and ranges of the options that all tasks have: one table each. Standard library only."""

from collections.abc import Collection, Mapping

from utils.options.publication import DEFAULT_PUSH_TIMEOUT
from utils.repository.layouts import LAYOUTS
from utils.targets.engines import DEFAULT_ENGINE, ENGINES
from utils.targets.exporters import EXPORTERS
from utils.targets.formats import DEFAULT_FORMAT, FORMATS, INPUT_DTYPES
from utils.targets.fusions import DEFAULT_FUSION, FUSIONS
from utils.targets.precisions import DEFAULT_PRECISION, MIN_AGREEMENT, PRECISIONS
from utils.targets.releases import default_release, usable_releases
from utils.targets.runtimes import DEFAULT_DEVICE, RUNTIMES
from utils.targets.tuning import KNOBS
from utils.tasks import DEFAULT_TASK, TASKS

LARGEST_BATCH = 1024
LARGEST_NUMBER = 1_000_000
# A pair of texts has up to four special tokens; the texts need some more.
FEWEST_TOKENS = 8

DEFAULTS: Mapping[str, str] = {
    "model_name": "ensemble_model",
    "tag": "latest",
    "max_batch_size": "4",
    "task": DEFAULT_TASK,
    "device": DEFAULT_DEVICE,
    "engine": DEFAULT_ENGINE,
    "release": default_release(),
    "format": DEFAULT_FORMAT,
    "precision": DEFAULT_PRECISION,
    "min_agreement": str(MIN_AGREEMENT),
    "input_dtype": INPUT_DTYPES[0],
    "fusion": DEFAULT_FUSION,
    "fetch_timeout": "600",
    "push_timeout": str(DEFAULT_PUSH_TIMEOUT),
}
CHOICES: Mapping[str, Collection[str]] = {
    "task": TASKS,
    "device": RUNTIMES,
    "layout": LAYOUTS,
    "engine": ENGINES,
    "release": usable_releases(),
    "format": FORMATS,
    "exporter": EXPORTERS,
    "precision": PRECISIONS,
    "input_dtype": INPUT_DTYPES,
    "fusion": FUSIONS,
}
# Whole numbers: the least and the most.
RANGES: Mapping[str, tuple[int, int]] = {
    "max_batch_size": (1, LARGEST_BATCH),
    "opset": (1, LARGEST_NUMBER),
    "model_version": (1, LARGEST_NUMBER),
    "max_length": (FEWEST_TOKENS, LARGEST_NUMBER),
    "sequence_length": (FEWEST_TOKENS, LARGEST_NUMBER),
    "fetch_timeout": (1, LARGEST_NUMBER),
    "push_timeout": (1, LARGEST_NUMBER),
    **{knob.name: (knob.least, knob.most) for knob in KNOBS.values()},
}

"""What a conversion needs beside its files."""

from dataclasses import dataclass, field

from utils.convert.task import ModelTask
from utils.convert.types import Settings
from utils.evaluation.eval_file import EvalFile
from utils.sources.tuned_model import TunedModel
from utils.targets.exporters import OPTIMUM
from utils.targets.target import Target


@dataclass(frozen=True, kw_only=True)
class ConversionSpec:
    """`labels` are the label map's texts, () for a task without; `settings` are those that the task's row resolved.

    `exporter`: a row of targets/exporters.py. `tuned`: the model is a base with an adapter. `eval_file`: rows
    whose right answers are known.
    """

    task: ModelTask
    target: Target
    max_batch_size: int
    exporter: str = OPTIMUM
    labels: tuple[str, ...] = ()
    settings: Settings = field(default_factory=dict)
    tuned: TunedModel | None = None
    eval_file: EvalFile | None = None

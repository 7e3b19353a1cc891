"""What a conversion needs beside its files."""

from dataclasses import dataclass, field

from utils.convert.task import ModelTask
from utils.convert.types import Settings
from utils.targets.target import Target


@dataclass(frozen=True, kw_only=True)
class ConversionSpec:
    """`labels` are the label map's texts, () for a task without; `settings` are those that the task's row resolved."""

    task: ModelTask
    target: Target
    max_batch_size: int
    labels: tuple[str, ...] = ()
    settings: Settings = field(default_factory=dict)

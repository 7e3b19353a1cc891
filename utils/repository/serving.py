"""The serving options of a model: names, versions, layout and maximum batch size."""

from dataclasses import dataclass, field

from utils.repository.served_names import ServedNames
from utils.repository.version_policy import VersionPolicy


@dataclass(frozen=True, kw_only=True)
class Serving:
    """The serving options. `layout` is a name in layouts.py; `names` are those of tensors and steps.

    `model_version` None: the model has one version. `versions_of` is the tag of the build whose versions are kept.
    """

    model_name: str
    layout: str
    max_batch_size: int = 4
    names: ServedNames = field(default_factory=ServedNames)
    model_version: int | None = None
    versions_of: str | None = None
    version_policy: VersionPolicy | None = None

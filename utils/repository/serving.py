"""How a model is served: its names, versions, layout and maximum batch size."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from utils.host.errors import UsageError
from utils.repository.tensors import TensorSpec
from utils.repository.version_policy import VersionPolicy


@dataclass(frozen=True, kw_only=True)
class ServedNames:
    """Names that the user sets instead of the defaults: {usual name: new name}; "" means the only tensor.

    The values of --input-name, --output-name and --step-name.
    """

    inputs: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    steps: Mapping[str, str] = field(default_factory=dict)

    def of_inputs(self, tensors: Sequence[TensorSpec]) -> tuple[TensorSpec, ...]:
        """The served inputs, renamed; UsageError for a usual name that none of them has."""
        return _renamed("--input-name", self.inputs, tensors)

    def of_outputs(self, tensors: Sequence[TensorSpec]) -> tuple[TensorSpec, ...]:
        """The served outputs, renamed; UsageError as for inputs."""
        return _renamed("--output-name", self.outputs, tensors)

    def require_unique(self, served: Sequence[str], inside: Collection[str]) -> None:
        """UsageError for a new name that another `served` tensor has, or a tensor between the steps (`inside`)."""
        for option, names in (("--input-name", self.inputs), ("--output-name", self.outputs)):
            for name in names.values():
                if name in inside or served.count(name) > 1:
                    raise UsageError(f"{option} {name!r} is the name of another tensor of the pipeline; use another")


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


def parse_names(option: str, text: str | None) -> dict[str, str]:
    """{usual name: new name} of `NEW`, or of several `USUAL=NEW` joined by commas."""
    names: dict[str, str] = {}
    for part in text.split(",") if text is not None else ():
        usual, _, new = part.rpartition("=")
        if not new or usual in names:
            raise UsageError(f"{option} is {text!r}; use NAME, or USUAL=NAME,USUAL=NAME for several tensors")
        names[usual] = new
    return names


def _renamed(option: str, names: Mapping[str, str], tensors: Sequence[TensorSpec]) -> tuple[TensorSpec, ...]:
    usual = [tensor.name for tensor in tensors]
    if "" in names and len(usual) == 1:
        names = {usual[0]: names[""]}
    unknown = sorted(set(names) - set(usual))
    if unknown:
        known = ", ".join(usual) or "none: this task keeps the names of the graph"
        shown = ", ".join(unknown) if unknown != [""] else names[""]
        raise UsageError(f"{option} {shown!r} does not name a served tensor; use USUAL=NAME with one of: {known}")
    renamed = tuple(replace(tensor, name=names.get(tensor.name, tensor.name)) for tensor in tensors)
    if len({tensor.name for tensor in renamed}) < len(renamed):
        raise UsageError(f"{option} gives two tensors the same name; use different names")
    return renamed

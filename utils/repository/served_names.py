"""The names that a user gives to served tensors and to steps, in place of the usual ones."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from utils.host.errors import UsageError
from utils.repository.tensors import TensorSpec


@dataclass(frozen=True, kw_only=True)
class ServedNames:
    """What --input-name, --output-name and --step-name say: {usual name: given name}; "" stands for the only one."""

    inputs: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    steps: Mapping[str, str] = field(default_factory=dict)

    def of_inputs(self, tensors: Sequence[TensorSpec]) -> tuple[TensorSpec, ...]:
        """The served inputs under their names; UsageError for a name that stands for none of them."""
        return _renamed("--input-name", self.inputs, tensors)

    def of_outputs(self, tensors: Sequence[TensorSpec]) -> tuple[TensorSpec, ...]:
        """Likewise the outputs."""
        return _renamed("--output-name", self.outputs, tensors)

    def require_apart(self, served: Sequence[str], inside: Collection[str]) -> None:
        """UsageError for a given name that two of the `served` tensors have, or one between the steps (`inside`)."""
        for option, names in (("--input-name", self.inputs), ("--output-name", self.outputs)):
            for name in names.values():
                if name in inside or served.count(name) > 1:
                    raise UsageError(f"{option} {name!r} is the name of another tensor of the pipeline; choose another")


def parse_names(option: str, text: str | None) -> dict[str, str]:
    """`NEW`, or `USUAL=NEW` joined by commas."""
    names: dict[str, str] = {}
    for part in text.split(",") if text is not None else ():
        usual, _, given = part.rpartition("=")
        if not given or usual in names:
            raise UsageError(f"{option} is {text!r}; write NAME, or USUAL=NAME,USUAL=NAME where there are several")
        names[usual] = given
    return names


def _renamed(option: str, names: Mapping[str, str], tensors: Sequence[TensorSpec]) -> tuple[TensorSpec, ...]:
    usual = [tensor.name for tensor in tensors]
    if "" in names and len(usual) == 1:
        names = {usual[0]: names[""]}
    unknown = sorted(set(names) - set(usual))
    if unknown:
        known = ", ".join(usual) or "none: this task keeps the names of the graph"
        shown = ", ".join(unknown) if unknown != [""] else names[""]
        raise UsageError(f"{option} {shown!r} says of no tensor what it is called; USUAL=NAME with one of: {known}")
    renamed = tuple(replace(tensor, name=names.get(tensor.name, tensor.name)) for tensor in tensors)
    if len({tensor.name for tensor in renamed}) < len(renamed):
        raise UsageError(f"{option} gives two tensors one name; give each its own")
    return renamed

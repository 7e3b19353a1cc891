"""Golden answers: the reference model's answer to each golden request, as values (golden_file.py stores them)."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from utils.targets.precisions import TOLERANCE


@dataclass(frozen=True, kw_only=True)
class TensorValue:
    """A tensor as in Triton's API, its `data` flat. Elements of BYTES are str, or bytes if they are not UTF-8."""

    datatype: str
    shape: tuple[int, ...]
    data: tuple[Any, ...]


@dataclass(frozen=True, kw_only=True)
class GoldenRow:
    """One row of a request and its golden answer. If the model is `batched`, shapes omit the batch dimension.

    `reference`: PyTorch's own answer, if the server measures its agreement with it (GoldenAnswers.agreement).
    `version` None: the version that the server selects for a request without one. `parameters`: of the request.
    """

    model: str
    batched: bool
    inputs: Mapping[str, TensorValue]
    outputs: Mapping[str, TensorValue]
    version: int | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    reference: Mapping[str, TensorValue] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """The model and its version as in a URL of Triton's API."""
        return self.model if self.version is None else f"{self.model}/versions/{self.version}"

    @property
    def fits_json(self) -> bool:
        """Whether JSON can carry the row. It cannot carry bytes that are not UTF-8, and Triton's JSON no FP16."""
        if any(isinstance(value, bytes) for tensor in self.inputs.values() for value in tensor.data):
            return False
        return not any(tensor.datatype == "FP16" for tensor in (*self.inputs.values(), *self.outputs.values()))


@dataclass(frozen=True, kw_only=True)
class RequiredAgreement:
    """The share `least` of the rows must agree with their references by `rule`.

    `rule` is a name in deploy/supervisor/agreement.py. `precision`: of the graph, for messages.
    """

    rule: str
    least: float
    precision: str


@dataclass(frozen=True, kw_only=True)
class GoldenAnswers:
    """Golden rows and the rule by which answers are compared: a name in deploy/supervisor/comparison.py.

    `agreement`: what the server measures of the rows with a reference before it is ready; None: nothing.
    """

    rows: tuple[GoldenRow, ...]
    comparison: str
    tolerance: float = TOLERANCE
    agreement: RequiredAgreement | None = None


def texts(values: Sequence[str | bytes], shape: Sequence[int] | None = None) -> TensorValue:
    """A BYTES tensor of `shape`, by default one-dimensional."""
    return TensorValue(datatype="BYTES", shape=tuple(shape or [len(values)]), data=tuple(values))


def numbers(datatype: str, array: Any) -> TensorValue:
    """A numpy array of any dtype as a tensor of `datatype`."""
    return TensorValue(datatype=datatype, shape=tuple(array.shape), data=tuple(array.reshape(-1).tolist()))


def floats(values: Sequence[float]) -> TensorValue:
    """A one-dimensional FP32 tensor."""
    return TensorValue(datatype="FP32", shape=(len(values),), data=tuple(values))


def ranking(labels: Sequence[str], scores: Sequence[float]) -> dict[str, TensorValue]:
    """The answer of a classifier: labels, best first, and their scores."""
    return {"predicts": texts(labels), "scores": floats(scores)}


def joined(all_answers: Sequence[GoldenAnswers]) -> GoldenAnswers:
    """The golden answers of several models of one repository, with their common rule and the largest tolerance."""
    rules = {each.comparison for each in all_answers}
    if len(rules) != 1:
        raise ValueError(f"models with different comparisons cannot be proven together: {sorted(rules)}")
    rows = tuple(row for each in all_answers for row in each.rows)
    widest = max(each.tolerance for each in all_answers)
    first = all_answers[0]
    return GoldenAnswers(rows=rows, comparison=first.comparison, tolerance=widest, agreement=first.agreement)


def json_request(row: GoldenRow) -> str:
    """The body of a JSON inference request for one row, which must fit JSON (see GoldenRow.fits_json)."""
    tensors = [{"name": name, **tensor} for name, tensor in as_plain(row.inputs).items()]
    for tensor in tensors:
        tensor["shape"] = [1, *tensor["shape"]] if row.batched else list(tensor["shape"])
    parameters = {"parameters": dict(row.parameters)} if row.parameters else {}
    return json.dumps({**parameters, "inputs": tensors}, ensure_ascii=False)


def as_plain(tensors: Mapping[str, TensorValue]) -> dict[str, dict[str, Any]]:
    """The form that deploy/supervisor/comparison.py takes: {name: {"datatype", "shape", "data"}}."""
    return {name: {"datatype": each.datatype, "shape": each.shape, "data": each.data} for name, each in tensors.items()}

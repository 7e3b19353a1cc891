"""Golden answers: the reference model's answer to each golden request, stored beside the model repository."""

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import prod
from pathlib import Path
from typing import Any

from deploy.supervisor.comparison import COMPARISONS, difference
from utils.host.errors import BootProofError
from utils.repository.context import GOLDEN_FILE
from utils.targets.precisions import TOLERANCE

FORMAT = 2


@dataclass(frozen=True, kw_only=True)
class TensorValue:
    """A tensor as in Triton's API, its `data` flat. Elements of BYTES are str, or bytes if they are not UTF-8."""

    datatype: str
    shape: tuple[int, ...]
    data: tuple[Any, ...]


@dataclass(frozen=True, kw_only=True)
class GoldenRow:
    """One row of a request and its golden answer. If the model is `batched`, shapes omit the batch dimension.

    `version` None: the version that the server selects for a request without one.
    """

    model: str
    batched: bool
    inputs: Mapping[str, TensorValue]
    outputs: Mapping[str, TensorValue]
    version: int | None = None

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
class GoldenAnswers:
    """Golden rows and the rule by which answers are compared: a name in deploy/supervisor/comparison.py."""

    rows: tuple[GoldenRow, ...]
    comparison: str
    tolerance: float = TOLERANCE


def texts(values: Sequence[str | bytes], shape: Sequence[int] | None = None) -> TensorValue:
    """A BYTES tensor of `shape`, by default one-dimensional."""
    return TensorValue(datatype="BYTES", shape=tuple(shape or [len(values)]), data=tuple(values))


def numbers(datatype: str, array: Any) -> TensorValue:
    """A numpy array of any dtype as a tensor of `datatype`."""
    return TensorValue(datatype=datatype, shape=tuple(array.shape), data=tuple(array.reshape(-1).tolist()))


def joined(all_answers: Sequence[GoldenAnswers]) -> GoldenAnswers:
    """The golden answers of several models of one repository, with their common rule and the largest tolerance."""
    rules = {each.comparison for each in all_answers}
    if len(rules) != 1:
        raise ValueError(f"models with different comparisons cannot be proven together: {sorted(rules)}")
    rows = tuple(row for each in all_answers for row in each.rows)
    widest = max(each.tolerance for each in all_answers)
    return GoldenAnswers(rows=rows, comparison=all_answers[0].comparison, tolerance=widest)


def write_golden(golden: GoldenAnswers, folder: Path, name: str = GOLDEN_FILE) -> Path:
    """Writes `folder`/golden.json; a row without a version has no such key."""
    path = folder / name
    content = {"format": FORMAT, **asdict(golden)}
    content["rows"] = [
        {key: value for key, value in row.items() if (key, value) != ("version", None)} for row in content["rows"]
    ]
    path.write_text(json.dumps(content, ensure_ascii=False, default=_as_base64) + "\n", encoding="utf-8")
    return path


def _as_base64(value: object) -> dict[str, str]:
    if not isinstance(value, bytes):
        raise TypeError(f"no JSON form for {type(value).__name__}")
    return {"base64": base64.b64encode(value).decode("ascii")}


def read_golden(path: Path) -> GoldenAnswers:
    """The golden answers in a file; BootProofError if it is missing or invalid, so that the proof is never skipped."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        golden = GoldenAnswers(
            rows=tuple(_row(row) for row in content["rows"]),
            comparison=content["comparison"],
            tolerance=content["tolerance"],
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BootProofError(f"golden answers {str(path)!r} cannot be read ({error!r}); rebuild the tree") from error
    if content.get("format") != FORMAT or not _can_prove(golden):
        raise BootProofError(
            f"golden answers {str(path)!r} prove nothing: format {content.get('format')!r}, {len(golden.rows)} rows, "
            f"comparison {golden.comparison!r}, tolerance {golden.tolerance!r}; rebuild the tree"
        )
    return golden


def _row(row: Mapping[str, Any]) -> GoldenRow:
    tensors = {direction: dict(_tensors(row[direction])) for direction in ("inputs", "outputs")}
    if not isinstance(row["model"], str) or not isinstance(row["batched"], bool):
        raise TypeError(f"model {row['model']!r}, batched {row['batched']!r}")
    version = row.get("version")
    if version is not None and type(version) is not int:
        raise TypeError(f"version {version!r}")
    return GoldenRow(model=row["model"], batched=row["batched"], version=version, **tensors)


def _tensors(tensors: Mapping[str, Any]) -> Iterable[tuple[str, TensorValue]]:
    for name, tensor in tensors.items():
        data = [
            base64.b64decode(each["base64"], validate=True) if isinstance(each, dict) else each
            for each in tensor["data"]
        ]
        yield (
            name,
            TensorValue(datatype=tensor["datatype"], shape=tuple(map(int, tensor["shape"])), data=tuple(data)),
        )


def _can_prove(golden: GoldenAnswers) -> bool:
    """Whether every row has inputs and a golden answer that equals itself by the comparison rule."""
    if not isinstance(golden.tolerance, float) or not 0 < golden.tolerance < 1:
        return False
    if golden.comparison not in tuple(COMPARISONS):  # a tuple, because the value read may be unhashable
        return False
    return bool(golden.rows) and all(row.inputs and row.outputs and _is_comparable(row, golden) for row in golden.rows)


def _is_comparable(row: GoldenRow, golden: GoldenAnswers) -> bool:
    answer = as_plain(row.outputs)
    try:
        difference(answer, answer, comparison=golden.comparison, tolerance=golden.tolerance)
    except (ValueError, TypeError):
        return False
    return all(len(each.data) == prod(each.shape) for each in (*row.inputs.values(), *row.outputs.values()))


def json_request(row: GoldenRow) -> str:
    """The body of a JSON inference request for one row, which must fit JSON (see GoldenRow.fits_json)."""
    tensors = [{"name": name, **tensor} for name, tensor in as_plain(row.inputs).items()]
    for tensor in tensors:
        tensor["shape"] = [1, *tensor["shape"]] if row.batched else list(tensor["shape"])
    return json.dumps({"inputs": tensors}, ensure_ascii=False)


def as_plain(tensors: Mapping[str, TensorValue]) -> dict[str, dict[str, Any]]:
    """The form that deploy/supervisor/comparison.py takes: {name: {"datatype", "shape", "data"}}."""
    return {name: {"datatype": each.datatype, "shape": each.shape, "data": each.data} for name, each in tensors.items()}

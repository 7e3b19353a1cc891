"""Golden answers: what the original says to each golden request, kept beside the model repository."""

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

FORMAT = 2
# A server's numbers may differ from the original's by this: measured differences of FP32 graphs are below 1e-5.
TOLERANCE = 1e-3


@dataclass(frozen=True, kw_only=True)
class TensorValue:
    """A tensor with its values, in Triton's words; `data` is flat. BYTES are texts, or bytes that are no UTF-8."""

    datatype: str
    shape: tuple[int, ...]
    data: tuple[Any, ...]


@dataclass(frozen=True, kw_only=True)
class GoldenRow:
    """One request's row and its right answer; shapes leave the batch dimension out where the model is `batched`.

    `version` None: whichever the server answers with when it is asked for none.
    """

    model: str
    batched: bool
    inputs: Mapping[str, TensorValue]
    outputs: Mapping[str, TensorValue]
    version: int | None = None

    @property
    def path(self) -> str:
        """The model and its version as they stand in a URL of Triton's."""
        return self.model if self.version is None else f"{self.model}/versions/{self.version}"

    @property
    def fits_json(self) -> bool:
        """Can it be asked in JSON? Bytes that are no text have no form there, and Triton's JSON has none for FP16."""
        if any(isinstance(value, bytes) for tensor in self.inputs.values() for value in tensor.data):
            return False
        return not any(tensor.datatype == "FP16" for tensor in (*self.inputs.values(), *self.outputs.values()))


@dataclass(frozen=True, kw_only=True)
class GoldenAnswers:
    """`comparison` names the rule by which an answer is the right one (deploy/supervisor/comparison.py)."""

    rows: tuple[GoldenRow, ...]
    comparison: str
    tolerance: float = TOLERANCE


def texts(values: Sequence[str | bytes], shape: Sequence[int] | None = None) -> TensorValue:
    """BYTES of the given shape, by default one dimension."""
    return TensorValue(datatype="BYTES", shape=tuple(shape or [len(values)]), data=tuple(values))


def numbers(datatype: str, array: Any) -> TensorValue:
    """A numpy array, whatever its own dtype, as a tensor of `datatype`."""
    return TensorValue(datatype=datatype, shape=tuple(array.shape), data=tuple(array.reshape(-1).tolist()))


def joined(all_answers: Sequence[GoldenAnswers]) -> GoldenAnswers:
    """The golden answers of several models of one repository: compared by one rule, within the widest tolerance."""
    rules = {each.comparison for each in all_answers}
    if len(rules) != 1:
        raise ValueError(f"models whose answers are compared otherwise cannot be proven together: {sorted(rules)}")
    rows = tuple(row for each in all_answers for row in each.rows)
    widest = max(each.tolerance for each in all_answers)
    return GoldenAnswers(rows=rows, comparison=all_answers[0].comparison, tolerance=widest)


def write_golden(golden: GoldenAnswers, folder: Path, name: str = GOLDEN_FILE) -> Path:
    """Writes `folder`/golden.json; a row says its version only where it has one."""
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
    """The answers in a golden.json; BootProofError when there are none: losing the file does not skip the proof."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        golden = GoldenAnswers(
            rows=tuple(_row(row) for row in content["rows"]),
            comparison=content["comparison"],
            tolerance=content["tolerance"],
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BootProofError(f"golden answers {str(path)!r} cannot be read ({error!r}); build the tree anew") from error
    if content.get("format") != FORMAT or not _can_prove(golden):
        raise BootProofError(
            f"golden answers {str(path)!r} prove nothing: format {content.get('format')!r}, {len(golden.rows)} rows, "
            f"comparison {golden.comparison!r}, tolerance {golden.tolerance!r}; build the tree anew"
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
    """Requests with an answer each, that an answer can be held against: each row is right by its own rule."""
    if not isinstance(golden.tolerance, float) or not 0 < golden.tolerance < 1:
        return False
    if golden.comparison not in tuple(COMPARISONS):  # a tuple: what is read may have no hash
        return False
    return bool(golden.rows) and all(row.inputs and row.outputs and _is_right(row, golden) for row in golden.rows)


def _is_right(row: GoldenRow, golden: GoldenAnswers) -> bool:
    answer = as_plain(row.outputs)
    try:
        difference(answer, answer, comparison=golden.comparison, tolerance=golden.tolerance)
    except (ValueError, TypeError):
        return False
    return all(len(each.data) == prod(each.shape) for each in (*row.inputs.values(), *row.outputs.values()))


def json_request(row: GoldenRow) -> str:
    """The body of a plain JSON inference request for one row; its inputs must be texts and numbers."""
    tensors = [{"name": name, **tensor} for name, tensor in as_plain(row.inputs).items()]
    for tensor in tensors:
        tensor["shape"] = [1, *tensor["shape"]] if row.batched else list(tensor["shape"])
    return json.dumps({"inputs": tensors}, ensure_ascii=False)


def as_plain(tensors: Mapping[str, TensorValue]) -> dict[str, dict[str, Any]]:
    """The form deploy/supervisor/comparison.py takes: {name: {"datatype", "shape", "data"}}."""
    return {name: {"datatype": each.datatype, "shape": each.shape, "data": each.data} for name, each in tensors.items()}

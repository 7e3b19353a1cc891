"""golden.json: the golden answers beside a model repository."""

import base64
import json
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.supervisor.comparison import COMPARISONS, difference
from utils.host import json_values
from utils.host.errors import BootProofError
from utils.proof.golden import GoldenAnswers, GoldenRow, TensorValue, as_plain
from utils.repository.context import GOLDEN_FILE

if TYPE_CHECKING:
    from cattrs import Converter

FORMAT = 2


def write_golden(golden: GoldenAnswers, folder: Path, name: str = GOLDEN_FILE) -> Path:
    """Writes `folder`/golden.json; a row without a version has no such key."""
    path = folder / name
    content = {"format": FORMAT, **converter().unstructure(golden)}
    path.write_text(json.dumps(content, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def converter(folder: Path = Path()) -> "Converter":
    """Converts golden rows and what holds tensors from and to JSON values. Bytes are {"base64": ...} there."""
    from cattrs.gen import make_dict_unstructure_fn, override

    made = json_values.converter(folder)
    made.register_unstructure_hook(GoldenRow, make_dict_unstructure_fn(GoldenRow, made, _cattrs_omit_if_default=True))
    made.register_unstructure_hook(
        GoldenAnswers, make_dict_unstructure_fn(GoldenAnswers, made, agreement=override(omit_if_default=True))
    )
    tensor = made.get_structure_hook(TensorValue)
    made.register_structure_hook(TensorValue, lambda value, kind: _with_bytes(tensor(value, kind)))
    return made


def _with_bytes(tensor: TensorValue) -> TensorValue:
    data = [base64.b64decode(each["base64"], validate=True) if isinstance(each, dict) else each for each in tensor.data]
    return replace(tensor, data=tuple(data))


def read_golden(path: Path) -> GoldenAnswers:
    """The golden answers in a file; BootProofError if it is missing or invalid, so that the proof is never skipped."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        written = content.pop("format", None)
        golden = converter().structure(content, GoldenAnswers)
    except json_values.invalid(OSError, RecursionError) as error:
        reason = json_values.reason(error)
        raise BootProofError(f"golden answers {str(path)!r} cannot be read ({reason}); rebuild the tree") from error
    if written != FORMAT or not _can_prove(golden):
        raise BootProofError(
            f"golden answers {str(path)!r} prove nothing: format {written!r}, {len(golden.rows)} rows, "
            f"comparison {golden.comparison!r}, tolerance {golden.tolerance!r}; rebuild the tree"
        )
    return golden


def _can_prove(golden: GoldenAnswers) -> bool:
    """Whether every row has inputs and a golden answer that equals itself by the comparison rule."""
    if not 0 < golden.tolerance < 1 or golden.comparison not in COMPARISONS:
        return False
    return bool(golden.rows) and all(row.inputs and row.outputs and _is_comparable(row, golden) for row in golden.rows)


def _is_comparable(row: GoldenRow, golden: GoldenAnswers) -> bool:
    answer = as_plain(row.outputs)
    try:
        difference(answer, answer, comparison=golden.comparison, tolerance=golden.tolerance)
    except (ValueError, TypeError):
        return False
    return all(len(each.data) == prod(each.shape) for each in (*row.inputs.values(), *row.outputs.values()))

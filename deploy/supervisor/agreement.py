"""Measures how many answers of the running server agree with PyTorch's, before the server is ready.

A build measures the agreement of a reduced precision on its own CPU. Another device can compute the same graph
incorrectly, so golden.json of a GPU's image also has PyTorch's FP32 answers. Requests are sent in batches: a device can
answer the first row of a batch correctly and the others incorrectly (server issue 2135 of triton-inference-server).
The rules are those of utils/convert/agreement.py, applied to served answers. Standard library only.
"""

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from . import canary
from .comparison import FLOATS, difference

# As in utils/convert/agreement.py: choices that PyTorch scores this close count as equal.
TIE = 0.1
Answer = Mapping[str, Any]
Scores = Mapping[str, float]


@dataclass(frozen=True)
class Agreement:
    """Rows of golden.json that have PyTorch's answer; at least the share `least` of them must agree by `rule`."""

    rows: tuple[Mapping[str, Any], ...]
    rule: str
    least: float
    precision: str

    def measure(self, port: int, source: str, max_batch_size: int, seconds: float) -> float:
        """The share of the server's answers that agree. Raises canary.NoAnswerError or canary.WrongAnswerError."""
        pairs: list[tuple[Answer, Answer]] = []
        for rows in _batches(self.rows, max_batch_size):
            request = canary.prepared(*rows)
            body = canary.ask(request, port, source, seconds)
            try:
                answers = _rows_of(canary.answer(body, batched=request.batched), len(rows))
                pairs += [(row["reference"], answer) for row, answer in zip(rows, answers, strict=True)]
            except Exception as error:  # an answer that cannot be read is wrong
                raise canary.WrongAnswerError(str(error) or repr(error)) from error
        return share(self.rule, pairs)

    def fault(self, found: float) -> str:
        """A sentence if the share `found` is too small, else ""."""
        if found >= self.least:
            return ""
        return (
            f"{self.precision} does not agree with PyTorch on this device: {100 * found:.6g}% in {len(self.rows)} "
            f"golden answers, and --min-agreement is {self.least:g}; build with --precision fp32, or for another engine"
        )


def of_golden(golden: Mapping[str, Any]) -> Agreement:
    """The agreement of a golden.json with PyTorch's answers. ValueError or KeyError if it is invalid."""
    rows = tuple(row for row in golden["rows"] if "reference" in row)
    required = golden["agreement"]
    if not rows or required["rule"] not in RULES:
        raise ValueError(f"no PyTorch answers for an agreement by {required['rule']!r}")
    return Agreement(rows=rows, rule=required["rule"], least=required["least"], precision=required["precision"])


def share(rule: str, pairs: Sequence[tuple[Answer, Answer]]) -> float:
    """The share of equal choices of all (PyTorch's answer, the server's answer); "cosine": the lowest similarity."""
    scores = [(_scores(one), _scores(other)) for one, other in pairs]
    if not scores[0][0]:  # texts only, such as entities
        return sum(_is_same(*pair) for pair in pairs) / len(pairs)
    numbers = [value for _, served in scores for value in served.values()]
    if not all(isinstance(value, (int, float)) and math.isfinite(value) for value in numbers):
        return 0.0
    if not all(served and set(served) <= set(reference) for reference, served in scores) and rule != "cosine":
        return 0.0  # a label that the model does not have
    return RULES[rule](scores)


def _scores(answer: Answer) -> Scores:
    """{label, id or position: number}, of equal labels the first; {} without numbers. A padded id is negative."""
    numbers = [tensor["data"] for tensor in answer.values() if tensor["datatype"] in FLOATS]
    names = [tensor["data"] for tensor in answer.values() if tensor["datatype"] not in FLOATS]
    if not numbers:
        return {}
    keys = names[0] if names and len(names[0]) == len(numbers[0]) else range(len(numbers[0]))
    found: dict[str, float] = {}
    for key, value in zip(keys, numbers[0], strict=True):
        if not (isinstance(key, int) and key < 0):
            found.setdefault(str(key), value)
    return found


def _is_same(reference: Answer, served: Answer) -> bool:
    """Whether all texts are equal; numbers inside of JSON texts may differ."""
    try:
        difference(reference, served, comparison="tensors", tolerance=math.inf)
    except ValueError:
        return False
    return True


def _choices(scores: Sequence[tuple[Scores, Scores]]) -> float:
    return _mean(
        max(reference.values()) - reference.get(max(served, key=lambda label: served[label]), -math.inf) <= TIE
        for reference, served in scores
    )


def _decisions(scores: Sequence[tuple[Scores, Scores]]) -> float:
    return _mean(
        (reference[label] > 0.5) == (value > 0.5) or abs(reference[label] - 0.5) <= TIE
        for reference, served in scores
        for label, value in served.items()
    )


def _order(scores: Sequence[tuple[Scores, Scores]]) -> float:
    """Of each two rows, which has the higher value of a label."""
    values: dict[str, list[tuple[float, float]]] = {}
    for reference, served in scores:
        for label, value in served.items():
            values.setdefault(label, []).append((reference[label], value))
    same = []
    for pairs in values.values():
        spread = max(one for one, _ in pairs) - min(one for one, _ in pairs)
        for (one, found), (other, also_found) in combinations(pairs, 2):
            same.append(abs(one - other) <= TIE * spread or (one - other) * (found - also_found) > 0)
    return _mean(same)


def _cosines(scores: Sequence[tuple[Scores, Scores]]) -> float:
    def length(vector: Scores) -> float:
        return math.sqrt(sum(value * value for value in vector.values()))

    def cosine(one: Scores, other: Scores) -> float:
        product = sum(value * other.get(key, 0.0) for key, value in one.items())
        lengths = length(one) * length(other)
        return product / lengths if lengths else float(one == other)

    return min(cosine(*pair) for pair in scores)


def _mean(same: Any) -> float:
    found = list(same)
    return sum(found) / len(found) if found else 1.0


# By the names of the rules in utils/convert/agreement.py.
RULES: dict[str, Callable[[Sequence[tuple[Scores, Scores]]], float]] = {
    "softmax": _choices, "sigmoid": _decisions, "none": _order, "cosine": _cosines,
}  # fmt: skip


def _batches(rows: Sequence[Mapping[str, Any]], size: int) -> Iterator[list[Mapping[str, Any]]]:
    """Rows that one request can have: of one model, with equal shapes and parameters."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for place, row in enumerate(rows):
        shapes = {name: tensor["shape"] for name, tensor in row["inputs"].items()}
        alone = None if row["batched"] else place
        groups.setdefault(json.dumps([row["model"], shapes, row.get("parameters"), alone]), []).append(row)
    for group in groups.values():
        yield from (group[start : start + size] for start in range(0, len(group), size))


def _rows_of(answer: Answer, count: int) -> list[Answer]:
    """The answer of each row of a batch of `count`."""
    sizes = {name: len(tensor["data"]) // count for name, tensor in answer.items()}
    return [
        {
            name: {**tensor, "data": tensor["data"][place * sizes[name] : (place + 1) * sizes[name]]}
            for name, tensor in answer.items()
        }
        for place in range(count)
    ]

"""Is a served answer the golden one? Standard library only and importing nothing of this project.

The build's proof and the canary inside the image both ask this file, so that they agree on what is right.
An answer is {output name: {"datatype": str, "shape": [int], "data": [value]}} of one row, the batch dimension left out.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

FLOATS = ("FP16", "BF16", "FP32", "FP64")


def difference(expected: Mapping[str, Any], answer: Mapping[str, Any], *, comparison: str, tolerance: float) -> float:
    """The largest difference of numbers between two answers; ValueError, in a few words, when they are not equal.

    comparison "tensors": same names, shapes and values, floats within `tolerance` (times the largest expected value
    where that is above 1); a text that is a JSON document is compared value by value.
    comparison "ranking": `expected` ranks all labels, best first; the answer holds the first k of them. Labels whose
    scores differ by less than the tolerance are as good as equal and may change places.
    """
    missing = sorted(set(expected) - set(answer))
    if missing:
        raise ValueError(f"the answer lacks {', '.join(missing)}")
    return COMPARISONS[comparison](expected, answer, tolerance)


def _tensors(expected: Mapping[str, Any], answer: Mapping[str, Any], tolerance: float) -> float:
    return max([_tensor(name, wanted, answer[name], tolerance) for name, wanted in expected.items()], default=0.0)


def _tensor(name: str, wanted: Mapping[str, Any], given: Mapping[str, Any], tolerance: float) -> float:
    if list(wanted["shape"]) != list(given["shape"]) or len(wanted["data"]) != len(given["data"]):
        raise ValueError(f"{name} has shape {list(given['shape'])} where {list(wanted['shape'])} is right")
    if wanted["datatype"] in FLOATS:
        return _numbers(name, wanted["data"], given["data"], tolerance)
    pairs = zip(wanted["data"], given["data"])
    return max([_value(f"{name}[{index}]", *pair, tolerance) for index, pair in enumerate(pairs)], default=0.0)


def _numbers(name: str, wanted: list[Any], given: list[Any], tolerance: float) -> float:
    _require_numbers(name, given)
    scale = max([1.0, *(abs(value) for value in wanted if math.isfinite(value))])
    differences = [abs(value - other) if value != other else 0.0 for value, other in zip(wanted, given)]
    for index, size in enumerate(differences):
        if not size <= tolerance * scale:  # so written that a NaN is wrong, too
            raise ValueError(f"{name}[{index}] is {given[index]:.6g} where {wanted[index]:.6g} is right")
    return max(differences, default=0.0)


def _require_numbers(name: str, values: list[Any]) -> None:
    """JSON of a server can hold anything."""
    for index, value in enumerate(values):
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ValueError(f"{name}[{index}] is {_short(value)} where a number is right")


def _value(place: str, wanted: Any, given: Any, tolerance: float) -> float:
    """One element: equal, or both JSON documents whose values agree."""
    if wanted == given:
        return 0.0
    expected, answer = _document(wanted), _document(given)
    if expected is None or answer is None:
        raise ValueError(f"{place} is {_short(given)} where {_short(wanted)} is right")
    return _json(place, expected, answer, tolerance)


def _document(value: Any) -> Any:
    if not isinstance(value, str) or value[:1] not in ("{", "["):
        return None
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return None


def _json(place: str, wanted: Any, given: Any, tolerance: float) -> float:
    if isinstance(wanted, dict) and isinstance(given, dict) and wanted.keys() == given.keys():
        return max([_json(f"{place}.{key}", wanted[key], given[key], tolerance) for key in wanted], default=0.0)
    if isinstance(wanted, list) and isinstance(given, list) and len(wanted) == len(given):
        pairs = enumerate(zip(wanted, given))
        return max([_json(f"{place}[{index}]", *pair, tolerance) for index, pair in pairs], default=0.0)
    if isinstance(wanted, float) and isinstance(given, (int, float)):
        return _numbers(place, [wanted], [given], tolerance)
    if wanted != given or isinstance(wanted, bool) != isinstance(given, bool):  # Python's True is 1
        raise ValueError(f"{place} is {_short(given)} where {_short(wanted)} is right")
    return 0.0


def _ranking(expected: Mapping[str, Any], answer: Mapping[str, Any], tolerance: float) -> float:
    labels, scores = _of_type(expected, numeric=False), _of_type(expected, numeric=True)
    _require_numbers(scores, answer[scores]["data"])
    ranked = list(zip(expected[labels]["data"], expected[scores]["data"]))
    served = list(zip(answer[labels]["data"], answer[scores]["data"]))
    wanted = ranked[: len(served)]
    whole = len(answer[labels]["data"]) == len(answer[scores]["data"]) == len(wanted)
    sizes = [math.inf]
    if served and whole and _no_label_repeated(served, ranked):
        sizes = [
            size
            for (label, score), (_, right) in zip(served, wanted)
            for size in (abs(score - right), _distance(ranked, label, right))
        ]
    if not all(size <= tolerance for size in sizes):  # not max(): it loses a NaN that does not come first
        raise ValueError(f"the answer is {_say(served)} where {_say(wanted)} is right")
    return max(sizes)


def _of_type(tensors: Mapping[str, Any], *, numeric: bool) -> str:
    for name, tensor in tensors.items():
        if (tensor["datatype"] in FLOATS) == numeric:
            return name
    raise ValueError(f"a ranking has labels and scores, not {', '.join(tensors)} alone")


def _no_label_repeated(served: list[tuple[str, float]], ranked: list[tuple[str, float]]) -> bool:
    """A label that stands once in the head stands once in an answer at most."""
    given, known = [label for label, _ in served], [label for label, _ in ranked]
    return all(given.count(label) <= known.count(label) for label in given)


def _distance(ranked: list[tuple[str, float]], label: str, right: float) -> float:
    """How far the golden score of the served label is from the score expected at its place; inf for no such label."""
    return min([abs(score - right) for name, score in ranked if name == label], default=math.inf)


def _say(pairs: list[tuple[str, float]]) -> str:
    return ", ".join(f"{label!r} {score:.4f}" for label, score in pairs[:5]) or "nothing"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


COMPARISONS = {"tensors": _tensors, "ranking": _ranking}

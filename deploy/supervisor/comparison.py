"""Is a served answer the golden one? Standard library only and importing nothing of this project.

The build's proof and the canary inside the image both ask this file, so that they agree on what is right.
An answer is {output name: {"datatype": str, "shape": [int], "data": [value]}} of one row, the batch dimension left out.
"""

from __future__ import annotations

import bisect
import json
import math
from collections import Counter
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
            raise ValueError(f"{name}[{index}] is {given[index]:.9g} where {wanted[index]:.9g} is right")
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
        shown, right = _apart(given, wanted)
        raise ValueError(f"{place} is {shown} where {right} is right")
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
        shown, right = _apart(given, wanted)
        raise ValueError(f"{place} is {shown} where {right} is right")
    return 0.0


def _ranking(expected: Mapping[str, Any], answer: Mapping[str, Any], tolerance: float) -> float:
    """Linear in the number of labels, up to the sorting of equal ones: the canary compares so every few seconds."""
    labels, scores = _of_type(expected, numeric=False), _of_type(expected, numeric=True)
    _require_numbers(scores, answer[scores]["data"])
    ranked = list(zip(expected[labels]["data"], expected[scores]["data"]))
    served = list(zip(answer[labels]["data"], answer[scores]["data"]))
    wanted = ranked[: len(served)]
    whole = len(answer[labels]["data"]) == len(answer[scores]["data"]) == len(wanted)
    golden = _scores_by_label(ranked)
    sizes = [math.inf]
    texts = all(isinstance(label, (str, bytes)) for label, _ in served)  # JSON of a server can hold anything
    if served and whole and texts and _no_label_repeated(served, golden):
        sizes = [
            size
            for (label, score), (_, right) in zip(served, wanted)
            for size in (abs(score - right), _distance(golden[label], right))
        ]
    if not all(size <= tolerance for size in sizes):  # not max(): it loses a NaN that does not come first
        raise ValueError(_first_difference(served, wanted, tolerance))
    return max(sizes)


def _of_type(tensors: Mapping[str, Any], *, numeric: bool) -> str:
    for name, tensor in tensors.items():
        if (tensor["datatype"] in FLOATS) == numeric:
            return name
    raise ValueError(f"a ranking has labels and scores, not {', '.join(tensors)} alone")


def _scores_by_label(ranked: list[tuple[str, float]]) -> dict[str, list[float]]:
    """Each label's golden scores in ascending order. Labels can be equal; NaN is never right and is left out."""
    found: dict[str, list[float]] = {}
    for label, score in ranked:
        found.setdefault(label, [])
        if not math.isnan(score):
            found[label].append(score)
    for scores in found.values():
        scores.sort()
    return found


def _no_label_repeated(served: list[tuple[str, float]], golden: Mapping[str, list[float]]) -> bool:
    """True when the answer has no unknown label, and none more often than the golden answer has it."""
    counts = Counter(label for label, _ in served)
    return all(count <= len(golden.get(label, ())) for label, count in counts.items())


def _distance(scores: list[float], right: float) -> float:
    """The distance from the score expected at a place to the nearest golden score of the label served there."""
    place = bisect.bisect_left(scores, right)
    return min((abs(score - right) for score in scores[max(0, place - 1) : place + 1]), default=math.inf)


def _first_difference(served: list[tuple[str, float]], wanted: list[tuple[str, float]], tolerance: float) -> str:
    """The first place whose score differs, else the first whose label does, with both, and the most likely cause."""
    if len(served) != len(wanted) or not served:
        return f"the answer ranks {len(served)} labels with scores where {len(wanted) or 'at least one'} is right"
    pairs = list(zip(served, wanted))
    scores = [place for place, (one, other) in enumerate(pairs) if not abs(one[1] - other[1]) <= tolerance]
    labels = [place for place, (one, other) in enumerate(pairs) if one[0] != other[0]]
    place = min(scores or labels or [0])
    (label, score), (right_label, right) = pairs[place]
    cause = "other tokens or another graph give other logits" if labels else "another function makes scores of logits"
    shown, right_shown = _apart(label, right_label)
    return (
        f"the answer at place {place} is {shown} {score:.9g} where {right_shown} {right:.9g} is right "
        f"(most likely {cause})"
    )


def _apart(given: Any, wanted: Any) -> tuple[str, str]:
    """Both values in a few characters each: of long texts the part around the first character that differs."""
    if not isinstance(given, str) or not isinstance(wanted, str) or max(len(given), len(wanted)) <= 78:
        return _short(given), _short(wanted)
    alike = next((place for place, (one, other) in enumerate(zip(given, wanted)) if one != other), None)
    first = min(len(given), len(wanted)) if alike is None else alike
    start = max(0, first - 30)
    shown, right = (f"{text[start : first + 40]!r} from character {start}" for text in (given, wanted))
    return shown, right


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


COMPARISONS = {"tensors": _tensors, "ranking": _ranking}

"""Compares a served answer with the golden one. Standard library only; imports nothing of this project.

The build's proof and the canary in the image share this file, so that they agree on what is right.
An answer is {output name: {"datatype": str, "shape": [int], "data": [value]}} of one row, without the batch dimension.
"""

import bisect
import json
import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

FLOATS = ("FP16", "BF16", "FP32", "FP64")


def difference(expected: Mapping[str, Any], answer: Mapping[str, Any], *, comparison: str, tolerance: float) -> float:
    """The largest difference of numbers between two answers. Raises ValueError with the first difference.

    comparison "tensors": same names, shapes and values, floats within `tolerance` (times the largest expected value
    if that is above 1); a text that is a JSON document is compared value by value.
    comparison "ranking": `expected` ranks all labels, best first; the answer holds the first k of them. Labels whose
    scores differ by less than the tolerance are equal and may be swapped.
    comparison "sparse": ids and their weights above zero. An id that only one of them has must have a weight that
    differs by less than the tolerance from 0, or from the other's smallest weight if both have the same number.
    """
    missing = sorted(set(expected) - set(answer))
    if missing:
        raise ValueError(f"the answer lacks {', '.join(missing)}")
    return COMPARISONS[comparison](expected, answer, tolerance)


def _tensors(expected: Mapping[str, Any], answer: Mapping[str, Any], tolerance: float) -> float:
    return max([_tensor(name, tensor, answer[name], tolerance) for name, tensor in expected.items()], default=0.0)


def _tensor(name: str, expected: Mapping[str, Any], actual: Mapping[str, Any], tolerance: float) -> float:
    if list(expected["shape"]) != list(actual["shape"]) or len(expected["data"]) != len(actual["data"]):
        raise ValueError(f"{name} has shape {list(actual['shape'])} where {list(expected['shape'])} is right")
    if expected["datatype"] in FLOATS:
        return _numbers(name, expected["data"], actual["data"], tolerance)
    pairs = zip(expected["data"], actual["data"], strict=True)
    return max([_value(f"{name}[{index}]", *pair, tolerance) for index, pair in enumerate(pairs)], default=0.0)


def _numbers(name: str, expected: list[Any], actual: list[Any], tolerance: float) -> float:
    _require_numbers(name, actual)
    scale = max([1.0, *(abs(value) for value in expected if math.isfinite(value))])
    differences = [abs(value - other) if value != other else 0.0 for value, other in zip(expected, actual, strict=True)]
    for index, size in enumerate(differences):
        if not size <= tolerance * scale:  # written so that a NaN is wrong, too
            raise ValueError(f"{name}[{index}] is {actual[index]:.9g} where {expected[index]:.9g} is right")
    return max(differences, default=0.0)


def _require_numbers(name: str, values: list[Any]) -> None:
    """A server's JSON can hold any value."""
    for index, value in enumerate(values):
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ValueError(f"{name}[{index}] is {_short(value)} where a number is right")


def _value(place: str, expected: Any, actual: Any, tolerance: float) -> float:
    """One element: equal, or both JSON documents whose values agree."""
    if expected == actual:
        return 0.0
    expected_document, actual_document = document(expected), document(actual)
    if expected_document is None or actual_document is None:
        shown, right = _shown_difference(actual, expected)
        raise ValueError(f"{place} is {shown} where {right} is right")
    return _json(place, expected_document, actual_document, tolerance)


def document(value: Any) -> Any:
    """The list or object in a text that is JSON; None for any other value."""
    if not isinstance(value, str) or value[:1] not in ("{", "["):
        return None
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return None


def _json(place: str, expected: Any, actual: Any, tolerance: float) -> float:
    if isinstance(expected, dict) and isinstance(actual, dict) and expected.keys() == actual.keys():
        return max([_json(f"{place}.{key}", expected[key], actual[key], tolerance) for key in expected], default=0.0)
    if isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        pairs = enumerate(zip(expected, actual, strict=True))
        return max([_json(f"{place}[{index}]", *pair, tolerance) for index, pair in pairs], default=0.0)
    if isinstance(expected, float) and isinstance(actual, (int, float)):
        return _numbers(place, [expected], [actual], tolerance)
    if expected != actual or isinstance(expected, bool) != isinstance(actual, bool):  # Python's True is 1
        shown, right = _shown_difference(actual, expected)
        raise ValueError(f"{place} is {shown} where {right} is right")
    return 0.0


def _ranking(expected: Mapping[str, Any], answer: Mapping[str, Any], tolerance: float) -> float:
    """Linear in the number of labels, except for sorting equal ones: the canary runs this every few seconds."""
    labels, scores = _of_type(expected, numeric=False), _of_type(expected, numeric=True)
    _require_numbers(scores, answer[scores]["data"])
    ranked = list(zip(expected[labels]["data"], expected[scores]["data"], strict=True))
    served = list(zip(answer[labels]["data"], answer[scores]["data"], strict=False))
    best = ranked[: len(served)]
    is_complete = len(answer[labels]["data"]) == len(answer[scores]["data"]) == len(best)
    golden = _scores_by_label(ranked)
    sizes = [math.inf]
    texts = all(isinstance(label, (str, bytes)) for label, _ in served)  # a server's JSON can hold any value
    if served and is_complete and texts and _no_label_repeated(served, golden):
        sizes = [
            size
            for (label, score), (_, right) in zip(served, best, strict=True)
            for size in (abs(score - right), _distance(golden[label], right))
        ]
    if not all(size <= tolerance for size in sizes):  # max() would lose a NaN that is not first
        raise ValueError(_first_difference(served, best, tolerance))
    return max(sizes)


def _sparse(expected: Mapping[str, Any], answer: Mapping[str, Any], tolerance: float) -> float:
    """A padded id is negative."""
    ids, weights = _of_type(expected, numeric=False), _of_type(expected, numeric=True)
    _require_numbers(ids, answer[ids]["data"])
    _require_numbers(weights, answer[weights]["data"])
    if len(answer[ids]["data"]) != len(answer[weights]["data"]):
        raise ValueError(
            f"the answer has {len(answer[ids]['data'])} {ids} and {len(answer[weights]['data'])} {weights}"
        )
    right, served = (
        {place: weight for place, weight in zip(each[ids]["data"], each[weights]["data"], strict=True) if place >= 0}
        for each in (expected, answer)
    )
    limit = min(right.values(), default=0.0) if len(right) == len(served) else 0.0
    scale = max([1.0, *right.values()])
    largest = 0.0
    for place in sorted({*right, *served}):
        size = abs(right.get(place, limit) - served.get(place, limit))
        if not size <= tolerance * scale:  # written so that a NaN is wrong, too
            shown = [f"{each[place]:.9g}" if place in each else "missing" for each in (served, right)]
            raise ValueError(f"the weight of {ids} {place} is {shown[0]} where {shown[1]} is right")
        largest = max(largest, size)
    return largest


def _of_type(tensors: Mapping[str, Any], *, numeric: bool) -> str:
    for name, tensor in tensors.items():
        if (tensor["datatype"] in FLOATS) == numeric:
            return name
    raise ValueError(f"a ranking needs labels and scores; the answer has {', '.join(tensors)} only")


def _scores_by_label(ranked: list[tuple[str, float]]) -> dict[str, list[float]]:
    """Each label's golden scores in ascending order. Labels can be equal; NaN is never right and is omitted."""
    found: dict[str, list[float]] = {}
    for label, score in ranked:
        found.setdefault(label, [])
        if not math.isnan(score):
            found[label].append(score)
    for scores in found.values():
        scores.sort()
    return found


def _no_label_repeated(served: list[tuple[str, float]], golden: Mapping[str, list[float]]) -> bool:
    """True if the answer has no unknown label, and none more often than the golden answer."""
    counts = Counter(label for label, _ in served)
    return all(count <= len(golden.get(label, ())) for label, count in counts.items())


def _distance(scores: list[float], right: float) -> float:
    """The distance from the expected score to the nearest golden score of the served label."""
    place = bisect.bisect_left(scores, right)
    return min((abs(score - right) for score in scores[max(0, place - 1) : place + 1]), default=math.inf)


def _first_difference(served: list[tuple[str, float]], expected: list[tuple[str, float]], tolerance: float) -> str:
    """The first place with a different score, else label: both values, and the most likely cause."""
    if len(served) != len(expected) or not served:
        return f"the answer ranks {len(served)} labels with scores where {len(expected) or 'at least one'} is right"
    pairs = list(zip(served, expected, strict=True))
    scores = [place for place, (one, other) in enumerate(pairs) if not abs(one[1] - other[1]) <= tolerance]
    labels = [place for place, (one, other) in enumerate(pairs) if one[0] != other[0]]
    place = min(scores or labels or [0])
    (label, score), (right_label, right) = pairs[place]
    cause = "other tokens or another graph give other logits" if labels else "another function makes scores of logits"
    shown, right_shown = _shown_difference(label, right_label)
    return (
        f"the answer at place {place} is {shown} {score:.9g} where {right_shown} {right:.9g} is right "
        f"(most likely {cause})"
    )


def _shown_difference(actual: Any, expected: Any) -> tuple[str, str]:
    """Both values, shortened: of long texts the part around the first character that differs."""
    if not isinstance(actual, str) or not isinstance(expected, str) or max(len(actual), len(expected)) <= 78:
        return _short(actual), _short(expected)
    pairs = enumerate(zip(actual, expected, strict=False))
    first = next((place for place, (one, other) in pairs if one != other), min(len(actual), len(expected)))
    start = max(0, first - 30)
    shown, right = (f"{text[start : first + 40]!r} from character {start}" for text in (actual, expected))
    return shown, right


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


COMPARISONS = {"tensors": _tensors, "ranking": _ranking, "sparse": _sparse}

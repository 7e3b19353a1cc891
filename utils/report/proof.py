"""The proof: each golden request with the expected and the served answer, and how far they are apart."""

import base64
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from deploy.supervisor.comparison import FLOATS, document
from utils.proof.golden import GoldenRow, TensorValue
from utils.proof.served import ServedRow
from utils.report import plots
from utils.report.section import Figure, Finished

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Of a tensor, of a text, and of the pairs of numbers in the plot of parity.
SHOWN_VALUES, SHOWN_CHARACTERS, SHOWN_PAIRS = 12, 600, 400
LARGEST_PICTURE = 32 * 1024
PICTURES = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif"}
# Below it a difference of FP32 numbers is rounding.
ROUNDING = 1e-9


@dataclass(frozen=True, kw_only=True)
class ShownTensor:
    """A tensor as a person reads it: the first of its values, long texts shortened.

    `count`: of all values; a JSON list in an answer is one value for each of its objects. `picture`: a data URI, if the
    only value is a picture.
    """

    name: str
    values: tuple[str, ...]
    count: int
    picture: str = ""


@dataclass(frozen=True, kw_only=True)
class Request:
    """A golden request. `served` is () without a proof. `difference`: the largest of all protocols and batches."""

    model: str
    inputs: tuple[ShownTensor, ...]
    parameters: dict[str, Any]
    expected: tuple[ShownTensor, ...]
    served: tuple[ShownTensor, ...] = ()
    difference: float | None = None


@dataclass(frozen=True, kw_only=True)
class Proof:
    """`tolerance`: the largest difference that is accepted. `pairs`: (expected, served) numbers of the answers."""

    requests: tuple[Request, ...]
    tolerance: float
    comparison: str
    protocols: tuple[str, ...] = ()
    pairs: tuple[tuple[float, float], ...] = field(default=())

    @property
    def is_proven(self) -> bool:
        """False after --no-verify."""
        return bool(self.protocols)

    @property
    def largest(self) -> float:
        """The largest difference of all requests."""
        return max(each.difference or 0.0 for each in self.requests)


def make(finished: Finished) -> Proof:
    """From golden.json and served.json."""
    golden, served = finished.golden, finished.served
    rows = list(zip(golden.rows, served or [None] * len(golden.rows), strict=True))
    return Proof(
        requests=tuple(_request(row, answer) for row, answer in rows),
        tolerance=golden.tolerance,
        comparison=golden.comparison,
        protocols=tuple(finished.record["proof"].get("protocols", ())) if served else (),
        pairs=_sample([pair for row, answer in rows if answer for pair in _pairs(row, answer)]),
    )


def _request(row: GoldenRow, answer: ServedRow | None) -> Request:
    return Request(
        model=row.path,
        inputs=tuple(_shown_tensor(name, tensor.data) for name, tensor in row.inputs.items()),
        parameters=dict(row.parameters),
        expected=_shown(row.outputs),
        served=_shown({name: answer.outputs[name] for name in row.outputs}) if answer else (),
        difference=answer.difference if answer else None,
    )


def _shown(tensors: Mapping[str, TensorValue]) -> tuple[ShownTensor, ...]:
    return tuple(
        _shown_tensor(name, [each for value in tensor.data for each in _objects(value)])
        for name, tensor in tensors.items()
    )


def _shown_tensor(name: str, data: Sequence[Any]) -> ShownTensor:
    picture = _picture(data[0]) if len(data) == 1 else ""
    return ShownTensor(name=name, values=tuple(map(_as_text, data[:SHOWN_VALUES])), count=len(data), picture=picture)


def _objects(value: Any) -> list[Any]:
    """The objects of a JSON list, such as entities; else the value itself."""
    found = document(value)
    return found if isinstance(found, list) and all(isinstance(each, dict) for each in found) else [value]


def _as_text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_as_text(each)}" for name, each in value.items())
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    if isinstance(value, float):
        return f"{value:.6g}"
    text = str(value)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]} … ({len(text)} characters)"


def _picture(value: Any) -> str:
    if not isinstance(value, bytes) or len(value) > LARGEST_PICTURE:
        return ""
    kind = next((kind for start, kind in PICTURES.items() if value.startswith(start)), "")
    return kind and f"data:{kind};base64,{base64.b64encode(value).decode('ascii')}"


def _pairs(row: GoldenRow, answer: ServedRow) -> Iterator[tuple[float, float]]:
    """The numbers of both answers, as far as they stand in the same places; also those in JSON documents."""
    for name, tensor in row.outputs.items():
        if name in answer.outputs:
            numbers = zip(_numbers(tensor), _numbers(answer.outputs[name]), strict=False)
            yield from ((one, other) for one, other in numbers if math.isfinite(one) and math.isfinite(other))


def _numbers(tensor: TensorValue) -> Iterator[float]:
    if tensor.datatype in FLOATS:
        yield from map(float, tensor.data)
    elif tensor.datatype == "BYTES":
        for text in tensor.data:
            yield from _floats(document(text))


def _floats(value: Any) -> Iterator[float]:
    if isinstance(value, float):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _floats(each)


def _sample(pairs: Sequence[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """SHOWN_PAIRS of them at most, evenly spaced, and the pair that is furthest apart."""
    step = max(1, len(pairs) // SHOWN_PAIRS)
    furthest = sorted(pairs, key=lambda pair: -abs(pair[0] - pair[1]))[:1]
    return tuple(dict.fromkeys([*pairs[::step][:SHOWN_PAIRS], *furthest]))


def figures(proof: Proof) -> Sequence[Figure]:
    """How many requests were answered as by the reference model, and the largest difference."""
    count = len(proof.requests)
    if not proof.is_proven:
        return (Figure(label="Golden requests", value="not proven", note="--no-verify"),)
    return (
        Figure(label="Golden requests", value=f"{count} of {count}", note="equal to the reference"),
        Figure(label="Difference", value=f"{proof.largest:.2g}", note=f"at most; {proof.tolerance:g} is allowed"),
    )


def drawn(proof: Proof) -> Mapping[str, str]:
    """Parity: served over expected numbers. Differences: how many requests differ by how much."""
    if not proof.is_proven:
        return {}
    differences = plots.draw(lambda axes: _paint_differences(axes, proof), title="Difference of each golden request")
    if not proof.pairs:
        return {"differences": differences}
    parity = plots.draw(lambda axes: _paint_parity(axes, proof), title="Served numbers over expected numbers")
    return {"parity": parity, "differences": differences}


def _paint_parity(axes: "Axes", proof: Proof) -> None:
    expected, served = zip(*proof.pairs, strict=True)
    ends = [min(expected), max(expected)]
    axes.plot(ends, ends, color=plots.COLOURS["mark"], linewidth=1)
    axes.scatter(expected, served, s=14, color=plots.COLOURS["plot"], alpha=0.65, linewidths=0)
    axes.set_xlabel("expected")
    axes.set_ylabel("served")


def _paint_differences(axes: "Axes", proof: Proof) -> None:
    import numpy as np

    sizes = [max(each.difference or 0.0, ROUNDING) for each in proof.requests]
    bins = np.logspace(math.log10(ROUNDING), math.log10(max(proof.tolerance, *sizes)), 25)
    axes.hist(sizes, bins=list(bins), color=plots.COLOURS["plot"])
    axes.axvline(proof.tolerance, color=plots.COLOURS["mark"], linewidth=1.5)
    axes.set_xscale("log")
    plots.powers_of_ten(axes.xaxis)
    axes.set_xlabel(f"largest difference of a request (line: {proof.tolerance:g} is allowed)")
    axes.set_ylabel("requests")
    plots.whole_numbers(axes.yaxis)

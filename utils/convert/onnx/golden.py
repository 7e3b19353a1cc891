"""Golden requests of a ready graph: generated inputs, and the answers of ONNX Runtime.

Only a run can tell for certain what a batch is: rows asked together must get the answers they get alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from deploy.supervisor.comparison import difference
from utils.convert.onnx.exported_graph import onnx_session
from utils.convert.onnx.inputs import FILLS, SIZES, Arrays, has_free_sizes, made_up, read_inputs
from utils.convert.onnx.ready_graph import GraphTensor, OnnxGraph
from utils.convert.onnx.served_copy import as_run
from utils.convert.types import GoldenPair
from utils.host.errors import ExportError
from utils.host.exceptions import brief
from utils.host.progress import note
from utils.proof.golden import TensorValue, as_plain
from utils.targets.precisions import TOLERANCE

GIVE_INPUTS = "give inputs it can take with --golden-inputs FILE.npz"


@dataclass(frozen=True, kw_only=True)
class Proven:
    """The graph as ONNX Runtime runs it, whether rows can share a request, and golden requests with their answers."""

    graph: OnnxGraph
    batched: bool
    pairs: tuple[GoldenPair, ...]


def ask_graph(graph: OnnxGraph, file: Path | None, *, batching: bool = True) -> Proven:
    """Runs the graph on generated inputs, or on those in the .npz `file`.

    Without `batching` shapes stay as they are, and nothing is asked in batches. SourceError for inputs in `file` that
    are not the graph's; ExportError for a graph that cannot be loaded or run, or that answers otherwise each time.
    """
    session = _load(graph)
    graph = as_run(session, graph)
    requests = read_inputs(file, graph) if file else _sampled(session, graph)
    _require_repeatable(session, graph, requests[0])
    if graph.may_be_batched and batching:
        rows = [row for request in requests for row in _rows(request)]
        answers = tuple(_answered(session, graph, row, batched=True) for row in rows)
        if reason := _why_no_batch(session, graph, rows, answers):
            note(f"{graph.file.name}: {reason}; it is served without batching, its shapes as they are")
        else:
            return Proven(graph=graph, batched=True, pairs=answers)
    answers = tuple(_answered(session, graph, request, batched=False) for request in requests)
    return Proven(graph=graph, batched=False, pairs=answers)


def _load(graph: OnnxGraph) -> Any:
    try:
        return onnx_session(graph.file)
    except Exception as error:  # ONNX Runtime's own classes share no base
        raise ExportError(
            f"ONNX Runtime cannot load {graph.file.name} ({brief(error)}); check the graph with onnx.checker"
        ) from error


def _run(session: Any, graph: OnnxGraph, arrays: Arrays) -> dict[str, Any]:
    names = [tensor.name for tensor in graph.outputs]
    return dict(zip(names, session.run(names, dict(arrays)), strict=True))


def _require_run(session: Any, graph: OnnxGraph, request: Arrays) -> dict[str, Any]:
    try:
        return _run(session, graph, request)
    except Exception as error:
        raise ExportError(f"ONNX Runtime cannot run {graph.file.name} ({brief(error)}); {GIVE_INPUTS}") from error


def _sampled(session: Any, graph: OnnxGraph) -> list[Arrays]:
    """Requests of the first sizes and values that the graph takes and gives finite numbers for."""
    reasons = []
    for size in SIZES if has_free_sizes(graph) else SIZES[:1]:
        for fill in FILLS:
            requests = list(made_up(graph, size, fill))
            try:
                outputs = [_run(session, graph, request) for request in requests]
            except Exception as error:
                reasons.append(brief(error))
                break  # other values of the same shapes are refused for the same reason, as a rule
            if all(_is_finite(output) for row in outputs for output in row.values()):
                return requests
            reasons.append("its answers are not finite")
    raise ExportError(
        f"ONNX Runtime answers none of the inputs made up for {graph.file.name} ({reasons[0]}); {GIVE_INPUTS}"
    )


def _require_repeatable(session: Any, graph: OnnxGraph, request: Arrays) -> None:
    first, second = _require_run(session, graph, request), _require_run(session, graph, request)
    for name, output in first.items():
        if not _is_finite(output):
            raise ExportError(
                f"{graph.file.name} answers the golden inputs with numbers that are not finite ({name!r})"
            )
        if not np.array_equal(output, second[name]):
            raise ExportError(
                f"{graph.file.name} answers the same inputs otherwise each time ({name!r}), so that no answer can be "
                "proven; export it without random operators (dropout in training mode, say)"
            )


def _rows(request: Arrays) -> list[Arrays]:
    count = len(next(iter(request.values())))
    return [{name: array[row : row + 1] for name, array in request.items()} for row in range(count)]


def _answered(session: Any, graph: OnnxGraph, request: Arrays, *, batched: bool) -> GoldenPair:
    outputs = _require_run(session, graph, request)
    return GoldenPair(
        inputs={tensor.name: _served(tensor, request[tensor.name], batched=batched) for tensor in graph.inputs},
        outputs={tensor.name: _served(tensor, outputs[tensor.name], batched=batched) for tensor in graph.outputs},
    )


def _served(tensor: GraphTensor, array: Any, *, batched: bool) -> TensorValue:
    """Without the one row's dimension; a scalar is served as [1]. Floats as written, not as FP32 stores them."""
    shape = array.shape[1:] if batched else array.shape
    return TensorValue(datatype=tensor.dtype, shape=shape or (1,), data=tuple(map(_plain, array.reshape(-1))))


def _plain(value: Any) -> Any:
    """The shortest number that is the same one in its own precision."""
    if isinstance(value, np.floating):
        return float(str(value))
    return value.item() if isinstance(value, np.generic) else value


def _why_no_batch(session: Any, graph: OnnxGraph, rows: Sequence[Arrays], answers: Sequence[GoldenPair]) -> str | None:
    """Why rows cannot share a request; None when each gets, among others, the answer it gets alone."""
    together = {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}
    together = {name: np.concatenate([array, array]) for name, array in together.items()}  # never one row only
    try:
        outputs = _run(session, graph, together)
    except Exception as error:
        return f"it takes one row only ({brief(error)})"
    count = 2 * len(rows)
    for name, output in outputs.items():
        if output.shape[:1] != (count,):
            return f"{name!r} has shape {list(output.shape)} for {count} rows"
    for place in range(count):
        found = {
            tensor.name: _served(tensor, outputs[tensor.name][place : place + 1], batched=True)
            for tensor in graph.outputs
        }
        expected = as_plain(answers[place % len(rows)].outputs)
        try:
            difference(expected, as_plain(found), comparison="tensors", tolerance=TOLERANCE)
        except ValueError as error:
            return f"rows asked together are not answered as each alone ({error})"
    return None


def _is_finite(output: Any) -> bool:
    return output.dtype.kind != "f" or bool(np.isfinite(output).all())

"""Converts a graph to another precision and checks its agreement with PyTorch."""

import copy
import functools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from utils.convert import reference_model
from utils.convert.agreement import RULES, Agreement
from utils.convert.engine_session import engine_session
from utils.convert.evaluated import calibration_texts, texts_of
from utils.convert.exporters import open_exporter
from utils.convert.onnx.quantize import reduced
from utils.convert.task import ConversionSpec, Guard
from utils.convert.types import ReferenceModel, Session, Text
from utils.host.errors import ExportError, ParityError
from utils.host.exceptions import explained
from utils.host.progress import note, warn
from utils.repository.pipeline import Graph
from utils.targets.precisions import DEFAULT_PRECISION

# The states of all tokens of a text are 400 kB of an embedder's.
AT_ONCE = 100


def reduce(
    graph: Graph, reference: ReferenceModel, spec: ConversionSpec
) -> tuple[Graph, ReferenceModel, Agreement | None]:
    """The graph in the precision of `spec`, the reference model with that graph in place of its layers, the agreement.

    The golden answers then use transformers' tokenizer and post-processing, and the numbers of the served graph, run
    by ONNX Runtime. If the graph stays as it is and the engine computes in the precision, the golden answers stay
    PyTorch's. ParityError (5) below the minimum agreement, or above the maximum drift.
    """
    precision = spec.target.reduction.precision
    if precision.name == DEFAULT_PRECISION:
        return graph, reference, None
    if precision.reducer is None and spec.target.engine.accelerator:
        warn(f"{precision.name} is what the GPU computes in: a server measures its agreement before it is ready")
        return graph, reference, None
    if precision.reducer is None:
        agreement = None
        with engine_session(graph, spec.target.engine.name, precision.name) as session:
            if session is None:
                warn(
                    f"this machine's CPU does not compute in {precision.name}, so its agreement was not measured; a "
                    "server measures it at startup and falls back to fp32"
                )
            else:
                _, agreement = _guarded(graph, reference, session, spec)
        return graph, reference, agreement
    if spec.calibration_file is None:
        graph = reduced(graph, precision.reducer, spec.target.release)
    else:
        assert precision.calibrated_reducer  # options/precision.py refuses the others
        calibration = functools.partial(_run_calibration, graph=graph, reference=reference, spec=spec)
        graph = reduced(graph, precision.calibrated_reducer, spec.target.release, calibration)
    return graph, *_guarded(graph, reference, open_exporter(graph.format).open_session(graph), spec)


def _guarded(
    graph: Graph, reference: ReferenceModel, session: Session, spec: ConversionSpec
) -> tuple[ReferenceModel, Agreement]:
    """The reference model with `session` in place of its layers; ParityError beyond a limit of the agreement."""
    precision = spec.target.reduction.precision
    reduced_model = replace(reference, model=with_graph(reference.model, graph, session), is_graph=True)
    reduced_model = _with_outputs(reduced_model, reference.texts)
    assert spec.task.guard  # --precision is for tasks with one
    texts = texts_of(spec) if spec.eval_file else reference.texts
    expected, found = (_values(each, spec.task.guard, texts, spec) for each in (reference, reduced_model))
    if not all(np.isfinite(row).all() for row in found):
        raise ParityError(f"the {precision.name} graph gives numbers that are not finite; build fp32")
    agreement = RULES[spec.task.guard.rule(spec.settings)](expected, found)
    note(f"{precision.name} against PyTorch on {len(texts)} texts: {agreement}")
    reduction = spec.target.reduction
    if not agreement.share >= reduction.min_agreement:
        broken = f"--min-agreement is {reduction.min_agreement:g}"
    elif reduction.max_drift is not None and not agreement.drift <= reduction.max_drift:
        broken = f"--max-drift is {reduction.max_drift:g}"
    else:
        return reduced_model, agreement
    raise ParityError(
        f"{precision.name} does not agree with PyTorch: {agreement}, and {broken}; measure on your own texts "
        "(--eval-file), allow less, or build with --precision fp32; nothing was built"
    )


def _run_calibration(session: Session, graph: Graph, reference: ReferenceModel, spec: ConversionSpec) -> None:
    """The texts of --calibration-file, AT_ONCE outputs held at a time."""
    running, texts = replace(reference, model=with_graph(reference.model, graph, session)), calibration_texts(spec)
    for start in range(0, len(texts), AT_ONCE):
        reference_model.outputs_of(running, texts[start : start + AT_ONCE])
    note(f"scales of {spec.target.reduction.precision.name} fixed from {len(texts)} texts of --calibration-file")


def with_graph(model: Any, graph: Graph, session: Session) -> Any:
    """`model` with the graph as its forward, for transformers' pipelines."""
    import torch
    from transformers.utils import ModelOutput

    names = [tensor.name for tensor in graph.outputs]

    @functools.wraps(model.forward)
    def forward(**tensors: Any) -> Any:
        if "attention_mask" in tensors:
            mask = tensors["attention_mask"]
            tensors.setdefault("position_ids", torch.where(mask == 1, mask.cumsum(-1) - 1, 1))
        feed = {each.name: tensors[each.name].numpy().astype(each.dtype.lower()) for each in graph.inputs}
        with explained(ExportError, "the converted graph fails on a text: {}; build with --precision fp32".format):
            results = session(feed)
        outputs = ModelOutput()
        for name, output in zip(names, results, strict=True):
            outputs[name] = torch.from_numpy(np.asarray(output))
        return outputs

    substitute = copy.copy(model)  # its weights are not copied
    substitute.forward = forward
    return substitute


def _with_outputs(answering: ReferenceModel, texts: Sequence[Text]) -> ReferenceModel:
    """The model with its outputs for these texts."""
    return replace(answering, texts=tuple(texts), outputs=tuple(reference_model.outputs_of(answering, texts)))


def _values(answering: ReferenceModel, guard: Guard, texts: Sequence[Text], spec: ConversionSpec) -> list[Any]:
    """What the task's rule compares; of the rows of --eval-file the outputs of AT_ONCE texts are held at a time."""
    if spec.eval_file is None:
        return guard.values(answering, spec.settings)
    found: list[Any] = []
    for start in range(0, len(texts), AT_ONCE):
        found += guard.values(_with_outputs(answering, texts[start : start + AT_ONCE]), spec.settings)
    return found

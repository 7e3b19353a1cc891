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
from utils.convert.evaluated import texts_of
from utils.convert.exporters import open_exporter
from utils.convert.onnx.quantize import reduced
from utils.convert.spec import ConversionSpec
from utils.convert.types import ReferenceModel, Session, Text
from utils.host.errors import ExportError, ParityError
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
    graph = reduced(graph, precision.reducer, spec.target.release)
    return graph, *_guarded(graph, reference, open_exporter(graph.format).open_session(graph), spec)


def _guarded(
    graph: Graph, reference: ReferenceModel, session: Session, spec: ConversionSpec
) -> tuple[ReferenceModel, Agreement]:
    """The reference model with `session` in place of its layers; ParityError beyond a limit of the agreement."""
    precision = spec.target.reduction.precision
    model = with_graph(reference.model, graph, session)
    reduced_model = replace(
        reference, model=model, is_graph=True, outputs=_outputs(model, reference, reference.texts, spec)
    )
    both, texts = (reference, reduced_model), texts_of(spec) if spec.eval_file else reference.texts
    expected, found = (_values_of(each, texts, spec) if spec.eval_file else _values(each, spec) for each in both)
    agreement = _agreement(expected, found, spec)
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
        try:
            results = session(feed)
        except Exception as error:  # ONNX Runtime's own classes share no base
            reason = " ".join(str(error).split())[:300]
            raise ExportError(f"the converted graph fails on a text: {reason}; build with --precision fp32") from error
        outputs = ModelOutput()
        for name, output in zip(names, results, strict=True):
            outputs[name] = torch.from_numpy(np.asarray(output))
        return outputs

    substitute = copy.copy(model)  # its weights are not copied
    substitute.forward = forward
    return substitute


def _outputs(
    model: Any, reference: ReferenceModel, texts: Sequence[Any], spec: ConversionSpec
) -> tuple[dict[str, Any], ...]:
    names = spec.task.graph_outputs
    return tuple(reference_model.pytorch_outputs(model, reference.tokenizer, texts, reference.max_length, names=names))


def _values(answering: ReferenceModel, spec: ConversionSpec) -> list[Any]:
    """What the task's rule compares of the outputs that a model gave."""
    assert spec.task.guard  # --precision is for tasks with one
    return spec.task.guard.values(answering, spec.settings)


def _values_of(answering: ReferenceModel, texts: Sequence[Text], spec: ConversionSpec) -> list[Any]:
    """Likewise of many texts: the outputs of AT_ONCE of them are held at a time."""
    found: list[Any] = []
    for start in range(0, len(texts), AT_ONCE):
        part = tuple(texts[start : start + AT_ONCE])
        outputs = _outputs(answering.model, answering, part, spec)
        found += _values(replace(answering, texts=part, outputs=outputs), spec)
    return found


def _agreement(expected: Sequence[Any], found: Sequence[Any], spec: ConversionSpec) -> Agreement:
    assert spec.task.guard
    if not all(np.isfinite(row).all() for row in found):
        raise ParityError(
            f"the {spec.target.reduction.precision.name} graph gives numbers that are not finite; build fp32"
        )
    return RULES[spec.task.guard.rule(spec.settings)](expected, found)

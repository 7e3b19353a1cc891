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
from utils.convert.eval_file import read_labelled_texts
from utils.convert.exporters import open_exporter
from utils.convert.onnx.quantize import reduced
from utils.convert.spec import ConversionSpec
from utils.convert.types import ReferenceModel, Session
from utils.host.errors import ExportError, ParityError
from utils.host.progress import note, warn
from utils.repository.pipeline import Graph
from utils.targets.precisions import DEFAULT_PRECISION


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
    evaluated = (
        _evaluated(reference, reduced_model, spec) if spec.target.reduction.eval_file else (reference, reduced_model)
    )
    agreement = _agreement(*evaluated, spec)
    note(f"{precision.name} against PyTorch on {len(evaluated[0].outputs)} texts: {agreement}")
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


def _agreement(reference: ReferenceModel, reduced_model: ReferenceModel, spec: ConversionSpec) -> Agreement:
    guard = spec.task.guard
    assert guard  # --precision is for tasks with one
    values = [guard.values(each, spec.settings) for each in (reference, reduced_model)]
    if not all(np.isfinite(row).all() for row in values[1]):
        raise ParityError(
            f"the {spec.target.reduction.precision.name} graph gives numbers that are not finite; build fp32"
        )
    return RULES[guard.rule(spec.settings)](*values)


def _evaluated(
    reference: ReferenceModel, reduced_model: ReferenceModel, spec: ConversionSpec
) -> tuple[ReferenceModel, ReferenceModel]:
    """Both with the texts of --eval-file instead of the golden ones; prints the accuracy of each."""
    assert spec.target.reduction.eval_file
    inputs = [tensor.name for tensor in spec.task.inputs]
    rows = read_labelled_texts(spec.target.reduction.eval_file, inputs, spec.labels)
    texts = tuple(row.text for row in rows)
    both = [
        replace(each, texts=texts, outputs=_outputs(each.model, each, texts, spec))
        for each in (reference, reduced_model)
    ]
    labels = np.array([row.label for row in rows])
    right = [np.mean(np.array([each["logits"].argmax() for each in one.outputs]) == labels) for one in both]
    note(
        f"accuracy on {len(rows)} labelled texts: {right[0]:.2%} before (PyTorch), {right[1]:.2%} after "
        f"({spec.target.reduction.precision.name})"
    )
    return both[0], both[1]

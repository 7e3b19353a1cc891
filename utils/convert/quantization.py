"""A graph in another precision, guarded: what it answers is held against PyTorch before anything is built of it."""

import copy
import functools
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from utils.convert import reference_model
from utils.convert.agreement import RULES, Agreement
from utils.convert.engine_session import engine_session
from utils.convert.eval_file import read_labelled_texts
from utils.convert.onnx.quantize import reduced
from utils.convert.reference_model import ReferenceModel
from utils.host.errors import ExportError, ParityError
from utils.host.progress import note, warn
from utils.repository.pipeline import Graph
from utils.targets.formats import FORMATS, Session
from utils.targets.precisions import DEFAULT_PRECISION

if TYPE_CHECKING:
    from utils.convert_to_onnx import ConversionSpec


def reduce(graph: Graph, asked: ReferenceModel, wanted: "ConversionSpec") -> tuple[Graph, ReferenceModel]:
    """The graph in the precision wanted, and the original as it answers with that graph in PyTorch's place.

    So tokenizer and post-processing of the golden answers stay transformers' own, and the numbers between them are
    those of the very graph that is served, run by ONNX Runtime. Where the graph stays as it is and the engine computes
    in that precision, on CPUs that can, the golden answers stay PyTorch's. ParityError (5) below the least agreement.
    """
    precision = wanted.reduction.precision
    if precision.name == DEFAULT_PRECISION:
        return graph, asked
    if precision.reducer is None:
        with engine_session(graph, wanted.engine, precision.name) as session:
            if session is None:
                warn(
                    f"this machine's CPU does not compute in {precision.name}: how well it agrees was not measured; "
                    "a server measures it at its start, and computes in fp32 where it does not hold"
                )
            else:
                _guarded(graph, asked, session, wanted)
        return graph, asked
    graph = reduced(graph, precision.reducer, wanted.release)
    return graph, _guarded(graph, asked, FORMATS[graph.format].open_exporter().open_session(graph), wanted)


def _guarded(graph: Graph, asked: ReferenceModel, session: Session, wanted: "ConversionSpec") -> ReferenceModel:
    """The original as it answers with `session` in PyTorch's place; ParityError below the least agreement."""
    precision = wanted.reduction.precision
    model = standing_in(asked.model, graph, session)
    answering = replace(asked, model=model, is_graph=True, outputs=_outputs(model, asked, asked.texts, wanted))
    evaluated = _evaluated(asked, answering, wanted) if wanted.reduction.eval_file else (asked, answering)
    agreement = _agreement(*evaluated, wanted)
    note(f"{precision.name} against PyTorch on {len(evaluated[0].outputs)} texts: {agreement}")
    if not agreement.share >= wanted.reduction.min_agreement:
        raise ParityError(
            f"{precision.name} does not answer as PyTorch does: {agreement}, and --min-agreement is "
            f"{wanted.reduction.min_agreement:g}; measure with texts of your own (--eval-file), allow less, or build "
            "with --precision fp32; nothing was built"
        )
    return answering


def standing_in(model: Any, graph: Graph, session: Session) -> Any:
    """`model` with the graph as its forward: transformers' pipelines take it as they take the model."""
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
            given = session(feed)
        except Exception as error:  # ONNX Runtime's own classes share no base
            reason = " ".join(str(error).split())[:300]
            raise ExportError(
                f"the converted graph cannot answer a text: {reason}; build with --precision fp32"
            ) from error
        outputs = ModelOutput()
        for name, output in zip(names, given, strict=True):
            outputs[name] = torch.from_numpy(np.asarray(output))
        return outputs

    substitute = copy.copy(model)  # its weights are not copied
    substitute.forward = forward
    return substitute


def _outputs(
    model: Any, asked: ReferenceModel, texts: Sequence[Any], wanted: "ConversionSpec"
) -> tuple[dict[str, Any], ...]:
    names = wanted.task.graph_outputs
    return tuple(reference_model.pytorch_outputs(model, asked.tokenizer, texts, asked.max_length, names=names))


def _agreement(asked: ReferenceModel, answering: ReferenceModel, wanted: "ConversionSpec") -> Agreement:
    guard = wanted.task.guard
    assert guard  # --precision is for tasks with one
    values = [guard.values(each, wanted.settings) for each in (asked, answering)]
    if not all(np.isfinite(row).all() for row in values[1]):
        raise ParityError(f"the {wanted.reduction.precision.name} graph gives numbers that are not finite; build fp32")
    return RULES[guard.rule(wanted.settings)](*values)


def _evaluated(
    asked: ReferenceModel, answering: ReferenceModel, wanted: "ConversionSpec"
) -> tuple[ReferenceModel, ReferenceModel]:
    """Both with the texts of --eval-file in place of the golden ones; says how many of each one's labels are right."""
    assert wanted.reduction.eval_file
    inputs = [tensor.name for tensor in wanted.task.inputs]
    rows = read_labelled_texts(wanted.reduction.eval_file, inputs, wanted.labels)
    texts = tuple(row.text for row in rows)
    both = [
        replace(each, texts=texts, outputs=_outputs(each.model, each, texts, wanted)) for each in (asked, answering)
    ]
    labels = np.array([row.label for row in rows])
    right = [np.mean(np.array([each["logits"].argmax() for each in one.outputs]) == labels) for one in both]
    note(
        f"accuracy on {len(rows)} labelled texts: {right[0]:.2%} before (PyTorch), {right[1]:.2%} after "
        f"({wanted.reduction.precision.name})"
    )
    return both[0], both[1]

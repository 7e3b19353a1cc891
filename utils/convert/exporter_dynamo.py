"""The exporter of torch itself, `torch.onnx.export` with torch.export, in a process with transformers 5.

Source of the rules for shapes: docs of torch.export, "Expressing Dynamism": a size of 0 or 1 in the sample becomes a
constant, and Dim.DYNAMIC raises where a size would become one.
"""

import copy
import inspect
import logging
from pathlib import Path
from typing import Any

from utils.convert.exporter import GRAPH_FILE, open_session, placed
from utils.convert.onnx.exported_graph import read_graph, take_int32
from utils.convert.onnx.walk import graphs_of, nodes_of
from utils.convert.task import ConversionSpec, ModelTask
from utils.convert.torchscript import INPUTS, by_position
from utils.convert.types import ReferenceModel
from utils.host.errors import ExportError
from utils.host.exceptions import brief
from utils.host.progress import without_log
from utils.repository.pipeline import Graph
from utils.repository.tensors import TensorSpec
from utils.targets.releases import Release

__all__ = ["export_graph", "open_session", "predict_graph"]

AXES = ("batch_size", "sequence_length")
# torch writes no older opset; the converter that lowers it makes invalid graphs (measured: torch 2.13.0).
OLDEST_OPSET = 18
SAMPLE_SHAPE = (3, 7)


def predict_graph(config: Any, *, task: ModelTask, head_size: int) -> Graph:
    """See exporters.py."""
    import transformers

    model_class = getattr(transformers, task.auto_class)._model_mapping[type(config)]
    hidden = getattr(config.get_text_config(), "hidden_size", -1)
    last = {"logits": (head_size,), "last_hidden_state": (-1, hidden)}
    if task.export_task in ("token-classification",):
        last["logits"] = (-1, head_size)
    return Graph(
        path=Path(GRAPH_FILE),
        inputs=tuple(TensorSpec(name=name, dtype="INT64", dims=(-1,)) for name in _inputs(model_class, config)),
        outputs=tuple(TensorSpec(name=name, dtype="FP32", dims=last.get(name, (-1,))) for name in task.graph_outputs),
    )


def export_graph(reference: ReferenceModel, destination: Path, spec: ConversionSpec, *, type_ids: bool) -> Graph:
    """See exporters.py."""
    release = spec.target.release
    if release.opset < OLDEST_OPSET:
        raise ExportError(
            f"--exporter dynamo writes opset {OLDEST_OPSET} or newer, and --opset is {release.opset}; leave it out"
        )
    model = reference.model
    names = _inputs(type(model), model.config, type_ids=type_ids)
    with placed(destination, release) as file:
        try:
            _write(_for_export(model), file, names, spec.task.graph_outputs, release)
        except Exception as error:  # torch and onnxscript raise any type
            raise ExportError(
                f"exporting {type(model).__name__} with --exporter dynamo at opset {release.opset} (Triton "
                f"{release.name}) failed: {_reason(error)}; --debug shows the traceback"
            ) from error
    path = destination / GRAPH_FILE
    if spec.target.form.input_dtype == "INT32":
        take_int32(path)
    return read_graph(path)


def _inputs(model_class: Any, config: Any, *, type_ids: bool = False) -> tuple[str, ...]:
    """token_type_ids are an input if the model has several types, or if they change its answers (`type_ids`)."""
    accepted = inspect.signature(model_class.forward).parameters
    typed = type_ids or (getattr(config, "type_vocab_size", None) or 0) > 1
    return tuple(name for name in INPUTS if name in accepted and (typed or name != "token_type_ids"))


def _for_export(model: Any) -> Any:
    """The model without a cache of keys, which no output needs, and with experts as products of one batch."""
    model = copy.copy(model)  # the weights are not copied
    model.config = copy.deepcopy(model.config)
    model.config.get_text_config().use_cache = False
    return model


def _write(model: Any, file: Path, names: tuple[str, ...], outputs: tuple[str, ...], release: Release) -> None:
    import torch

    # No value of the sample has a part in the graph, and no row is padded: masks are symbolic.
    sample = tuple(torch.ones(SAMPLE_SHAPE, dtype=torch.int64) for _ in names)
    free = dict.fromkeys(range(len(AXES)), torch.export.Dim.DYNAMIC)
    with torch.no_grad(), without_log(logging.CRITICAL):  # such as which packages torch does not find
        program = torch.onnx.export(
            by_position(model, names, outputs),
            sample,
            dynamo=True,
            input_names=list(names),
            output_names=list(outputs),
            dynamic_shapes=(tuple(free for _ in names),),
            opset_version=release.opset,
            verbose=False,
        )
    assert program is not None  # with dynamo=True
    program.save(str(file))
    _tidy(file)


def _tidy(file: Path) -> None:
    """Removes source positions, which are paths of this machine, and names the axes."""
    import onnx

    model = onnx.load(str(file), load_external_data=False)
    for graph in graphs_of(model.graph):
        del graph.value_info[:], graph.metadata_props[:]
        graph.ClearField("doc_string")
    for each in (*nodes_of(model.graph.node), *model.graph.input, *model.graph.output, *model.graph.initializer):
        del each.metadata_props[:]
        each.ClearField("doc_string")
    del model.metadata_props[:]
    for value in (*model.graph.input, *model.graph.output):
        for name, size in zip(AXES, value.type.tensor_type.shape.dim, strict=False):
            if not size.HasField("dim_value"):
                size.dim_param = name
    file.write_bytes(model.SerializeToString())


def _reason(error: BaseException) -> str:
    """The first cause in one line: torch puts a report of many lines around it."""
    while error.__cause__:
        error = error.__cause__
    return brief(error)

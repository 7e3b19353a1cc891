"""The PyTorch model as TorchScript, for Triton's pytorch backend: traced, with dynamic batch and length."""

import copy
import inspect
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from utils.convert.reference_model import runs_version_5, tokenizer_arrays
from utils.convert.task import ConversionSpec, ModelTask
from utils.convert.types import ReferenceModel, Session
from utils.host.errors import ExportError
from utils.host.exceptions import brief
from utils.repository.pipeline import Graph
from utils.repository.tensors import TensorSpec
from utils.targets.exporters import DYNAMO, OPTIMUM

GRAPH_FILE = "model.pt"
# Tokenizer outputs that models accept, in the order of the graph's inputs.
INPUTS = ("input_ids", "attention_mask", "token_type_ids")
COPIED_AT_ONCE = 1 << 20


def export_graph(reference: ReferenceModel, destination: Path, spec: ConversionSpec, *, type_ids: bool) -> Graph:
    """Writes `destination`/model.pt, which every release loads; ExportError for a model that cannot be traced.

    token_type_ids are an input only if they change the answers.
    """
    import torch

    input_dtype, graph_outputs = spec.target.form.input_dtype, spec.task.graph_outputs
    names = _inputs(reference, type_ids)
    samples = _samples(reference, names, input_dtype)
    try:
        with torch.no_grad():
            wrapped = by_position(reference.model, names, graph_outputs)
            module = torch.jit.trace(  # type: ignore[no-untyped-call]
                wrapped, samples[0], strict=False, check_trace=False
            )
            outputs = tuple(_measured(graph_outputs, [module(*sample) for sample in samples]))
        destination.mkdir(parents=True, exist_ok=True)
        module.save(str(destination / GRAPH_FILE))
        strip_debug_records(destination / GRAPH_FILE)
    except Exception as error:  # torch raises any type
        raise ExportError(
            f"{type(reference.model).__name__} cannot be traced to TorchScript: {brief(error)}; leave out --format "
            "torchscript, or add --debug for the traceback"
        ) from error
    inputs = tuple(TensorSpec(name=name, dtype=input_dtype, dims=(-1,)) for name in names)
    return Graph(path=destination / GRAPH_FILE, inputs=inputs, outputs=outputs, format="torchscript")


def strip_debug_records(file: Path) -> None:
    """Removes the source positions of a saved module, which contain absolute paths of the build machine.

    The pytorch backend sends torch's error text, which quotes them, to the client of a failed request. The serialized
    code is kept, so a traceback still names the module and the line.
    """
    kept = file.with_name(f"{file.name}.stripped")
    with zipfile.ZipFile(file) as whole, zipfile.ZipFile(kept, "w") as stripped:
        for entry in whole.infolist():
            if not entry.filename.endswith(".debug_pkl"):
                with whole.open(entry) as source, stripped.open(copy.copy(entry), "w") as target:
                    shutil.copyfileobj(source, target, COPIED_AT_ONCE)
    kept.replace(file)


def _inputs(reference: ReferenceModel, type_ids: bool) -> tuple[str, ...]:
    arrays = tokenizer_arrays(reference.tokenizer, reference.texts[:1], reference.max_length)
    accepted = set(inspect.signature(reference.model.forward).parameters) & set(arrays)
    return tuple(name for name in INPUTS if name in accepted and (type_ids or name != "token_type_ids"))


def _samples(reference: ReferenceModel, names: tuple[str, ...], dtype: str) -> list[tuple[Any, ...]]:
    """Two batches of different lengths, each with a padded row if there is a pad token.

    A trace of a single row, or of a batch without padding, would not contain the code for the other case.
    """
    import torch

    tokens, limit = reference.tokenizer, reference.max_length
    ordered = sorted(reference.texts, key=lambda text: tokenizer_arrays(tokens, [text], limit)["input_ids"].size)
    batches = [[ordered[0], ordered[place]] for place in (len(ordered) // 2, -1)]
    if tokens.pad_token is None:
        batches = [batch[1:] for batch in batches]
    arrays = [tokenizer_arrays(tokens, batch, limit) for batch in batches]
    return [tuple(torch.from_numpy(each[name].astype(dtype.lower())) for name in names) for each in arrays]


def by_position(model: Any, names: tuple[str, ...], outputs: tuple[str, ...]) -> Any:
    """The model as a module that takes tensors by position, of any integer type, and returns `outputs`."""
    import torch

    class ByPlace(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, *tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
            result = self.model(**{name: each.long() for name, each in zip(names, tensors, strict=True)})
            return tuple(getattr(result, name) for name in outputs)

    return ByPlace().eval()


def _measured(names: tuple[str, ...], runs: list[Any]) -> Any:
    """The outputs' specs: a dimension that differs between the two runs is -1."""
    for name, *tensors in zip(names, *runs, strict=True):
        shapes = zip(*(tensor.shape[1:] for tensor in tensors), strict=True)
        yield TensorSpec(name=name, dtype="FP32", dims=tuple(one if one == other else -1 for one, other in shapes))


def predict_graph(config: Any, *, task: ModelTask, head_size: int) -> Graph:
    """The tensors, predicted without weights; token_type_ids are assumed to matter if the model has two types."""
    from utils.convert.exporters import open_exporter

    exporter = open_exporter("onnx", DYNAMO if runs_version_5() else OPTIMUM)
    pairs = len(task.inputs) > 1 and getattr(config, "type_vocab_size", 0) > 1
    graph = exporter.predict_graph(config, task=task, head_size=head_size)
    inputs = tuple(each for each in graph.inputs if each.name in INPUTS[: 3 if pairs else 2])
    return Graph(path=Path(GRAPH_FILE), inputs=inputs, outputs=graph.outputs, format="torchscript")


def open_session(graph: Graph) -> Session:
    """Runs the saved file as the served config does: without optimizations for the shapes seen so far."""
    import torch

    module = torch.jit.load(str(graph.path), map_location="cpu")  # type: ignore[no-untyped-call]

    def run(feed: Mapping[str, Any]) -> list[Any]:
        with torch.inference_mode(), torch.jit.optimized_execution(False):  # type: ignore[attr-defined]
            outputs = module(*(torch.from_numpy(feed[tensor.name]) for tensor in graph.inputs))
        return [output.numpy() for output in outputs]

    return run

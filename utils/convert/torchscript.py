"""The PyTorch model as TorchScript, for Triton's pytorch backend: traced, with dynamic batch and length."""

import copy
import inspect
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from utils.convert.reference_model import tokenizer_arrays
from utils.convert.task import ModelTask
from utils.convert.types import ReferenceModel, Session
from utils.host.errors import ExportError
from utils.repository.pipeline import Graph
from utils.repository.tensors import TensorSpec
from utils.targets.releases import Release

GRAPH_FILE = "model.pt"
# What models take of a tokenizer, in the order of the graph's inputs.
INPUTS = ("input_ids", "attention_mask", "token_type_ids")
COPIED_AT_ONCE = 1 << 20


def export_graph(
    reference: ReferenceModel,
    destination: Path,
    *,
    task: ModelTask,
    release: Release,
    type_ids: bool,
    input_dtype: str,
) -> Graph:
    """Writes `destination`/model.pt, its inputs of `input_dtype`; ExportError for a model that cannot be traced.

    Of token_type_ids the model gets only those that change its answers. Any release will do: TorchScript's format is
    older than all of them.
    """
    import torch

    names = _inputs(reference, type_ids)
    samples = _samples(reference, names, input_dtype)
    try:
        with torch.no_grad():
            wrapped = _wrapped(reference.model, names, task.graph_outputs)
            module = torch.jit.trace(  # type: ignore[no-untyped-call]
                wrapped, samples[0], strict=False, check_trace=False
            )
            outputs = tuple(_measured(task.graph_outputs, [module(*sample) for sample in samples]))
        destination.mkdir(parents=True, exist_ok=True)
        module.save(str(destination / GRAPH_FILE))
        strip_debug_records(destination / GRAPH_FILE)
    except Exception as error:  # torch raises whatever it likes
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise ExportError(
            f"{type(reference.model).__name__} cannot be traced to TorchScript: {reason}; leave --format torchscript "
            "out, or see --debug for the traceback"
        ) from error
    inputs = tuple(TensorSpec(name=name, dtype=input_dtype, dims=(-1,)) for name in names)
    return Graph(path=destination / GRAPH_FILE, inputs=inputs, outputs=outputs, format="torchscript")


def strip_debug_records(file: Path) -> None:
    """Removes the source positions of a saved module, which name absolute paths of the machine that traced it.

    The pytorch backend sends torch's own text to the clients of a run that fails, and that would quote them. The
    serialized code stays, so that a traceback still names the module and the line in it.
    """
    kept = file.with_name(f"{file.name}.stripped")
    with zipfile.ZipFile(file) as whole, zipfile.ZipFile(kept, "w") as stripped:
        for entry in whole.infolist():
            if not entry.filename.endswith(".debug_pkl"):
                with whole.open(entry) as source, stripped.open(copy.copy(entry), "w") as target:
                    shutil.copyfileobj(source, target, COPIED_AT_ONCE)
    kept.replace(file)


def _inputs(reference: ReferenceModel, type_ids: bool) -> tuple[str, ...]:
    given = tokenizer_arrays(reference.tokenizer, reference.texts[:1], reference.max_length)
    taken = set(inspect.signature(reference.model.forward).parameters) & set(given)
    return tuple(name for name in INPUTS if name in taken and (type_ids or name != "token_type_ids"))


def _samples(reference: ReferenceModel, names: tuple[str, ...], dtype: str) -> list[tuple[Any, ...]]:
    """Two batches, of different lengths.

    Each has a padded row where there is something to pad with: what a model does for one row, or without padding, must
    not become all that its trace does.
    """
    import torch

    tokens, limit = reference.tokenizer, reference.max_length
    ordered = sorted(reference.texts, key=lambda text: tokenizer_arrays(tokens, [text], limit)["input_ids"].size)
    batches = [[ordered[0], ordered[place]] for place in (len(ordered) // 2, -1)]
    if tokens.pad_token is None:
        batches = [batch[1:] for batch in batches]
    arrays = [tokenizer_arrays(tokens, batch, limit) for batch in batches]
    return [tuple(torch.from_numpy(each[name].astype(dtype.lower())) for name in names) for each in arrays]


def _wrapped(model: Any, names: tuple[str, ...], outputs: tuple[str, ...]) -> Any:
    """The model as a module that takes tensors by place, of any integer type, and gives those that are served."""
    import torch

    class ByPlace(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, *tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
            given = self.model(**{name: each.long() for name, each in zip(names, tensors, strict=True)})
            return tuple(getattr(given, name) for name in outputs)

    return ByPlace().eval()


def _measured(names: tuple[str, ...], runs: list[Any]) -> Any:
    """The outputs as they are: what differs from one run to another varies with the text."""
    for name, *tensors in zip(names, *runs, strict=True):
        shapes = zip(*(tensor.shape[1:] for tensor in tensors), strict=True)
        yield TensorSpec(name=name, dtype="FP32", dims=tuple(one if one == other else -1 for one, other in shapes))


def predict_graph(config: Any, *, task: ModelTask, head_size: int) -> Graph:
    """The tensors, told without weights; whether a model heeds token_type_ids is taken from whether it knows two."""
    from utils.convert import exporter

    pairs = len(task.inputs) > 1 and getattr(config, "type_vocab_size", 0) > 1
    graph = exporter.predict_graph(config, task=task, head_size=head_size)
    inputs = tuple(each for each in graph.inputs if each.name in INPUTS[: 3 if pairs else 2])
    return Graph(path=Path(GRAPH_FILE), inputs=inputs, outputs=graph.outputs, format="torchscript")


def open_session(graph: Graph) -> Session:
    """The saved file itself, run as the served config has it run: without optimizations for the shapes seen so far."""
    import torch

    module = torch.jit.load(str(graph.path), map_location="cpu")  # type: ignore[no-untyped-call]

    def run(feed: Mapping[str, Any]) -> list[Any]:
        with torch.inference_mode(), torch.jit.optimized_execution(False):  # type: ignore[attr-defined]
            outputs = module(*(torch.from_numpy(feed[tensor.name]) for tensor in graph.inputs))
        return [output.numpy() for output in outputs]

    return run

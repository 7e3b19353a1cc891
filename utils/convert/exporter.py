"""The only module that uses optimum's ONNX exporter, so that it can be replaced."""

import logging
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from utils.convert.onnx.exported_graph import onnx_session, read_graph, take_int32
from utils.convert.reference_model import runs_version_5
from utils.convert.task import ConversionSpec, ModelTask
from utils.convert.types import ReferenceModel, Session
from utils.host.entry import debugging
from utils.host.errors import ExportError
from utils.host.exceptions import brief
from utils.repository.pipeline import Graph
from utils.repository.tensors import TensorSpec
from utils.targets.releases import Release

GRAPH_FILE = "model.onnx"


def prepare() -> None:
    """Once before a conversion: what must be set before the libraries are used."""
    if not runs_version_5():
        from transformers.utils import import_utils

        # Only generation and losses use these, but each model imports both, which takes a second.
        import_utils._sklearn_available = import_utils._scipy_available = False
    _quieten()


def _quieten() -> None:
    """Silences the libraries' own messages unless --debug is set."""
    if debugging():
        return
    warnings.simplefilter("ignore")
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    if not runs_version_5():  # which optimum cannot be imported with
        import optimum.utils.logging

        optimum.utils.logging.set_verbosity_error()
    for name in ("torch", "onnxscript", "optimum", "transformers"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def supported_types(export_task: str) -> list[str]:
    """Every model type the exporter converts for a task; sources/supported_types.py has them as a table."""
    import optimum.exporters.onnx.model_configs  # noqa: F401  (fills the registry)
    from optimum.exporters.tasks import TasksManager

    return sorted(TasksManager.get_supported_model_type_for_task(export_task, exporter="onnx"))


def predict_graph(config: Any, *, task: ModelTask, head_size: int) -> Graph:
    """See exporters.py."""
    onnx_config = _constructor(config, task.graph_task)(config)
    inputs = tuple(TensorSpec(name=name, dtype="INT64", dims=(-1,)) for name in onnx_config.inputs)
    last = {"logits": (head_size,), "last_hidden_state": (getattr(config, "hidden_size", -1),)}
    outputs = tuple(
        TensorSpec(name=name, dtype="FP32", dims=(*[-1] * (len(axes) - 1), *last.get(name, ())))
        for name, axes in onnx_config.outputs.items()
    )
    return Graph(path=Path(GRAPH_FILE), inputs=inputs, outputs=outputs)


def export_graph(reference: ReferenceModel, destination: Path, spec: ConversionSpec, *, type_ids: bool) -> Graph:
    """See exporters.py."""
    release = spec.target.release
    path = export(reference.model, destination, export_task=spec.task.graph_task, release=release, type_ids=type_ids)
    if spec.target.form.input_dtype == "INT32":
        take_int32(path)
    return read_graph(path)


def open_session(graph: Graph) -> Session:
    """See exporters.py."""
    try:
        session = onnx_session(graph.path)
    except Exception as error:  # ONNX Runtime's own classes share no base
        # The path of the temporary folder means nothing to a user.
        reason = brief(error).replace(f"{graph.path.parent}/", "")
        raise ExportError(
            f"ONNX Runtime cannot load the exported graph: {reason}; build with another --precision or --release, or "
            "report it"
        ) from error
    names = [tensor.name for tensor in graph.outputs]
    return lambda feed: session.run(names, dict(feed))


def _constructor(config: Any, export_task: str) -> Any:
    import optimum.exporters.onnx.model_configs  # noqa: F401  (fills the registry)
    from optimum.exporters.tasks import TasksManager

    return TasksManager.get_exporter_config_constructor(
        exporter="onnx", task=export_task, model_type=config.model_type, library_name="transformers"
    )


def _taking_type_ids(config: Any, export_task: str) -> Any:
    """The exporter's config of a model, with token_type_ids among the inputs."""
    make = _constructor(config, export_task)
    base = make.func
    axes = {0: "batch_size", 1: "sequence_length"}
    inputs = property(lambda self: {**base.inputs.fget(self), "token_type_ids": axes})
    return type(f"{base.__name__}TakingTypeIds", (base,), {"inputs": inputs})(config, *make.args, **make.keywords)


def export(model: Any, destination: Path, *, export_task: str, release: Release, type_ids: bool = False) -> Path:
    """Writes `destination`/model.onnx (and its external data above 2 GB) at the release's opset and IR version.

    `type_ids` adds the input token_type_ids, which the exporter omits for decoders.
    """
    from optimum.exporters.onnx.convert import onnx_export_from_model

    _quieten()
    # The exporter also copies the tokenizer files of the model folder; they are not served.
    with placed(destination, release) as file:
        try:
            onnx_export_from_model(
                model=model,
                output=file.parent,
                task=export_task,
                opset=release.opset,
                device="cpu",
                custom_onnx_configs={"model": _taking_type_ids(model.config, export_task)} if type_ids else None,
                do_validation=False,  # it only logs a mismatch; parity.py raises
            )
        except Exception as error:  # the exporter, torch and onnx raise any type
            raise ExportError(
                f"exporting {type(model).__name__} at opset {release.opset} (Triton {release.name}) failed: "
                f"{brief(error)}; --debug shows the traceback, a newer --release allows a newer opset"
            ) from error
    return destination / GRAPH_FILE


@contextmanager
def placed(destination: Path, release: Release) -> Iterator[Path]:
    """The file that an exporter writes, in a private folder; put into `destination` with its external data afterwards.

    Its IR version is at most the release's.
    """
    destination.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="export-", dir=destination) as private:
        file = Path(private) / GRAPH_FILE
        yield file
        clamp_ir(file, release)
        for name in (GRAPH_FILE, *read_graph(file).external_files):
            file.with_name(name).replace(destination / name)


def clamp_ir(graph: Path, release: Release) -> None:
    """Lowers the IR version to what the release's ONNX Runtime loads; the graph uses nothing of newer versions."""
    import onnx

    model = onnx.load(str(graph), load_external_data=False)
    if model.ir_version > release.max_ir:
        model.ir_version = release.max_ir
        graph.write_bytes(model.SerializeToString())

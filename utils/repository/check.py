"""Checks a model repository: configs parse as Triton's ModelConfig, and the tensors of ensembles and calls match."""

import json
from pathlib import Path
from typing import Any

from utils.host.errors import RenderError

# backend -> the file that every version folder must contain
MODEL_FILES = {"python": "model.py", "onnxruntime": "model.onnx", "pytorch": "model.pt"}


def check_repository(repository: Path, model_name: str) -> None:
    """Raises RenderError (exit 6) with the invalid model and tensor."""
    configs = {config.parent.name: parse_config(config) for config in sorted(repository.glob("*/config.pbtxt"))}
    for name, config in configs.items():
        _check_model(repository / name, config)
        for settings in sorted((repository / name).glob("*/settings.json")):
            _check_call(name, json.loads(settings.read_text(encoding="utf-8")).get("graph"), configs)
    if model_name not in configs:
        raise RenderError(f"model {model_name!r} has no config.pbtxt in {str(repository)!r}")
    if configs[model_name].platform == "ensemble":
        _check_ensemble(configs[model_name], configs)


def parse_config(file: Path) -> Any:
    """The config as a ModelConfig message."""
    from google.protobuf import text_format
    from tritonclient.grpc import model_config_pb2

    try:
        return text_format.Parse(file.read_text(encoding="utf-8"), model_config_pb2.ModelConfig())
    except text_format.ParseError as error:
        raise RenderError(f"{file.parent.name}/config.pbtxt is not a Triton model config: {error}") from error


def _check_model(folder: Path, config: Any) -> None:
    if config.name != folder.name:
        raise RenderError(f"{folder.name}/config.pbtxt has the name {config.name!r}; Triton requires the folder's name")
    versions = [path for path in folder.iterdir() if path.is_dir() and path.name.isdigit() and path.name != "0"]
    if not versions:
        raise RenderError(f"model {folder.name!r} has no version folder")
    needed = MODEL_FILES.get(config.backend)
    for version in versions:
        if needed and not (version / needed).is_file():
            raise RenderError(f"model {folder.name!r}, version {version.name}, lacks {needed}")


def _check_call(caller: str, call: dict[str, Any] | None, configs: dict[str, Any]) -> None:
    """Compares the call of another model (model_repository/shared/graph_call.py) with that model's config."""
    if call is None:
        return
    called = configs.get(call["model"])
    if called is None:
        raise RenderError(f"model {caller!r} calls {call['model']!r}, which is not in the repository")
    rows = call["max_batch_size"]
    if rows > called.max_batch_size:
        raise RenderError(
            f"model {caller!r} calls {called.name!r} with {rows} rows; its max_batch_size is {called.max_batch_size}"
        )
    for direction, tensors in (("inputs", called.input), ("outputs", called.output)):
        known = {tensor.name: _dtype(tensor.data_type) for tensor in tensors}
        if call[direction] != known:
            raise RenderError(
                f"model {caller!r} calls {called.name!r} with {direction} {call[direction]}; the model has {known}"
            )


def _check_ensemble(ensemble: Any, configs: dict[str, Any]) -> None:
    """Checks the steps in order against the tensors produced before: {ensemble tensor: (dtype, dims)}."""
    known = _tensors(ensemble.input)
    for step in ensemble.ensemble_scheduling.step:
        model = configs.get(step.model_name)
        if model is None:
            raise RenderError(f"the ensemble's step {step.model_name!r} is not in the repository")
        if model.max_batch_size != ensemble.max_batch_size:
            raise RenderError(
                f"model {step.model_name!r} has max_batch_size {model.max_batch_size}, "
                f"the ensemble has {ensemble.max_batch_size}; they must be equal"
            )
        _check_inputs(step, _tensors(model.input), known)
        known.update(_outputs(step, _tensors(model.output), known))
    for name, tensor in _tensors(ensemble.output).items():
        _require_equal("the ensemble's output", name, tensor, known.get(name))


def _check_inputs(step: Any, inputs: dict[str, Any], known: dict[str, Any]) -> None:
    unmapped = sorted(set(inputs) - set(step.input_map))
    if unmapped:
        raise RenderError(f"the ensemble maps no tensor to {', '.join(unmapped)} of step {step.model_name!r}")
    for key, value in step.input_map.items():
        if key not in inputs:
            raise RenderError(f"the ensemble maps {key!r}, which is not an input of step {step.model_name!r}")
        _require_equal(f"step {step.model_name!r}, input", key, inputs[key], known.get(value))


def _outputs(step: Any, outputs: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
    produced = {}
    for key, value in step.output_map.items():
        if key not in outputs:
            raise RenderError(f"the ensemble maps {key!r}, which is not an output of step {step.model_name!r}")
        if value in known or value in produced:
            raise RenderError(f"the ensemble's tensor {value!r} has two sources; one is step {step.model_name!r}")
        produced[value] = outputs[key]
    return produced


def _require_equal(consumer: str, name: str, expected: Any, produced: Any) -> None:
    if produced is None:
        raise RenderError(f"{consumer} {name!r}: no earlier step produces this tensor")
    if expected != produced:
        raise RenderError(f"{consumer} {name!r} is {_describe(expected)}, but its source is {_describe(produced)}")


def _tensors(tensors: Any) -> dict[str, tuple[int, tuple[int, ...]]]:
    return {tensor.name: (tensor.data_type, tuple(tensor.dims)) for tensor in tensors}


def _describe(tensor: tuple[int, tuple[int, ...]]) -> str:
    return f"{_dtype(tensor[0])} {list(tensor[1])}"


def _dtype(number: int) -> str:
    from tritonclient.grpc import model_config_pb2

    return str(model_config_pb2.DataType.Name(number))

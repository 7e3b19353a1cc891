"""The engines that run the graph of a served model: one row each. Standard library only."""

from dataclasses import dataclass

from utils.host.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Engine:
    """The layouts, devices and precisions that it supports.

    In the layout "fused" it is model_repository/shared/<name>_session.py, with requirements-<name>.txt in the
    component's folder; in the others Triton's own backend.
    """

    name: str
    layouts: tuple[str, ...]
    devices: tuple[str, ...]
    precisions: tuple[str, ...]


ENGINES = {
    row.name: row
    for row in (
        Engine(
            name="onnxruntime",
            layouts=("fused", "ensemble", "direct"),
            devices=("cpu", "gpu"),
            precisions=("fp32", "fp16", "int8"),
        ),
        # It cannot read the loop over rows that int8 graphs are put in (utils/convert/onnx/independent_rows.py).
        Engine(name="openvino", layouts=("fused",), devices=("cpu",), precisions=("fp32", "bf16")),
    )
}
DEFAULT_ENGINE = "onnxruntime"


def find_engine(text: str | None, device: str) -> Engine:
    """The engine called `text`, or the default; UsageError if it is unknown or does not support the device."""
    name = text or DEFAULT_ENGINE
    if name not in ENGINES:
        raise UsageError(f"--engine {name!r} is not known; choose one of: {', '.join(ENGINES)}")
    if device not in ENGINES[name].devices:
        raise UsageError(f"--engine {name} is not for --device {device}; leave it out, or build with --device cpu")
    return ENGINES[name]

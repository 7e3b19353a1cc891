"""The engines that run the graph of a served model: one row each. Standard library only."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from utils.host.errors import UsageError
from utils.host.numbers import require_known


@dataclass(frozen=True, kw_only=True)
class Engine:
    """The layouts, devices and precisions that it supports.

    In the layout "fused" it is model_repository/shared/<name>_session.py, with requirements-<name>.txt in the
    component's folder; in the others Triton's own backend.

    `formats` are those of its graphs. `accelerator`: Triton's name of the execution accelerator of ONNX Runtime that it
    is (repository/accelerators.py); "" if it is none. `releases`: the first and the last release that support a
    precision ("": the newest); every release supports one that is not a key.
    """

    name: str
    layouts: tuple[str, ...]
    devices: tuple[str, ...]
    precisions: tuple[str, ...]
    formats: tuple[str, ...] = ("onnx",)
    accelerator: str = ""
    releases: Mapping[str, tuple[str, str]] = field(default_factory=dict)


ENGINES = {
    row.name: row
    for row in (
        Engine(
            name="onnxruntime",
            layouts=("fused", "ensemble", "direct"),
            devices=("cpu", "gpu"),
            precisions=("fp32", "fp16", "int8"),
            formats=("onnx", "torchscript"),
        ),
        # It cannot read the loop over rows that int8 graphs are put in (utils/convert/onnx/independent_rows.py).
        Engine(name="openvino", layouts=("fused",), devices=("cpu",), precisions=("fp32", "bf16")),
        # The parameters for profiles and caches: src/onnxruntime.cc of onnxruntime_backend, from r24.04 on; BF16 from
        # r26.02 on. The backend of r26.06 is made for TensorRT 11, which has no precision flags any more: the graph's
        # own types decide, which are FP16 with "to_fp16" (precisions.py), and there is no BF16 graph.
        Engine(
            name="tensorrt",
            layouts=("ensemble",),
            devices=("gpu",),
            precisions=("fp32", "fp16", "bf16"),
            accelerator="tensorrt",
            releases={"fp32": ("24.04", ""), "fp16": ("24.04", ""), "bf16": ("26.02", "26.05")},
        ),
    )
}
DEFAULT_ENGINE = "onnxruntime"


def find_engine(text: str | None, device: str) -> Engine:
    """The engine called `text`, or the default; UsageError if it is unknown or does not support the device."""
    name = require_known("--engine", text or DEFAULT_ENGINE, ENGINES)
    if device not in ENGINES[name].devices:
        raise UsageError(
            f"--engine {name} is not for --device {device}; leave it out, or build with --device "
            f"{' or '.join(ENGINES[name].devices)}"
        )
    return ENGINES[name]


def check_engine(engine: Engine, *, precision: str, format_name: str, release: str) -> None:
    """UsageError if the engine does not run graphs of this format, or not in this precision in this release."""
    if format_name not in engine.formats:
        raise UsageError(
            f"--engine {engine.name} is not for --format {format_name}; leave one of them out, or choose --format "
            f"{' or '.join(engine.formats)}"
        )
    first, last = engine.releases.get(precision, ("", ""))
    if release < first or (last and release > last):
        known = f"from {first} to {last}" if last else f"{first} and newer"
        raise UsageError(
            f"--engine {engine.name} with --precision {precision} is not for Triton {release}, only for releases "
            f"{known}; choose one of them with --release, or another engine or precision"
        )

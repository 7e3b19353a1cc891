"""The formats of an exported model: one row each. Standard library only."""

from dataclasses import dataclass

from utils.host.numbers import require_known
from utils.targets.fusions import DEFAULT_FUSION

INPUT_DTYPES = ("INT64", "INT32")


@dataclass(frozen=True, kw_only=True)
class Format:
    """`component` serves a graph of this format; `file` is its name in the version folder.

    `positional`: the backend knows tensors by position only. convert/exporters.py has the module that writes it.
    `stage`: the Dockerfile's base stage that has the backend, None if every stage has it. `layouts` have a step for it.
    """

    name: str
    component: str
    file: str
    backend: str
    layouts: tuple[str, ...]
    positional: bool = False
    stage: str | None = None


FORMATS = {
    row.name: row
    for row in (
        Format(
            name="onnx",
            component="model_onnx",
            file="model.onnx",
            backend="onnxruntime",
            layouts=("ensemble", "direct", "fused"),
        ),
        Format(
            name="torchscript",
            component="model_torchscript",
            file="model.pt",
            backend="pytorch",
            layouts=("ensemble", "direct"),
            positional=True,
            stage="full",
        ),
    )
}
DEFAULT_FORMAT = "onnx"


@dataclass(frozen=True, kw_only=True)
class GraphForm:
    """The form of a graph. `sequence_length` None: each batch is as long as its longest text.

    `fusion` is a row of fusions.py.
    """

    format: str = DEFAULT_FORMAT
    sequence_length: int | None = None
    input_dtype: str = INPUT_DTYPES[0]
    fusion: str = DEFAULT_FUSION


def graph_form(format_name: str, sequence_length: int | None, input_dtype: str) -> GraphForm:
    """The form; UsageError for an unknown value."""
    return GraphForm(
        format=require_known("--format", format_name, FORMATS),
        sequence_length=sequence_length,
        input_dtype=require_known("--input-dtype", input_dtype, INPUT_DTYPES),
    )

"""The forms an exported model can have in a model repository: one row each. Standard library only."""

from dataclasses import dataclass

from utils.host.errors import UsageError

INPUT_DTYPES = ("INT64", "INT32")


@dataclass(frozen=True, kw_only=True)
class Format:
    """`component` serves a graph of this form, which lies as `file` in its version folder.

    `positional`: its backend knows tensors by their position only. convert/exporters.py has the module that writes it.
    `stage`: the Dockerfile's base stage that has its backend, where the slim one has not. `layouts` have a step for it.
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
    """What a graph is to be: `sequence_length` None lets every batch be as long as its longest text."""

    format: str = DEFAULT_FORMAT
    sequence_length: int | None = None
    input_dtype: str = INPUT_DTYPES[0]


def graph_form(format_name: str, sequence_length: int | None, input_dtype: str) -> GraphForm:
    """The form asked for; UsageError for a word that is not known."""
    for option, given, known in (("--format", format_name, FORMATS), ("--input-dtype", input_dtype, INPUT_DTYPES)):
        if given not in known:
            raise UsageError(f"{option} {given!r} is not known; choose one of: {', '.join(known)}")
    return GraphForm(format=format_name, sequence_length=sequence_length, input_dtype=input_dtype)

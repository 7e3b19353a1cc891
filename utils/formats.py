"""The forms an exported model can have in a model repository: one row each."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Format:
    """`component` serves a graph of this form, which lies as `file` in its version folder."""

    name: str
    component: str
    file: str


FORMATS = {row.name: row for row in (Format(name="onnx", component="model_onnx", file="model.onnx"),)}
DEFAULT_FORMAT = "onnx"

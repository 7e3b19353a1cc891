"""Tensors as Triton describes them: name, data type and dims."""

from dataclasses import dataclass

# ONNX elem_type -> Triton data type. Source: onnx.proto3 TensorProto.DataType and Triton's
# model_configuration.md, "Datatypes".
TRITON_DTYPES = {
    1: "FP32",
    2: "UINT8",
    3: "INT8",
    4: "UINT16",
    5: "INT16",
    6: "INT32",
    7: "INT64",
    8: "BYTES",
    9: "BOOL",
    10: "FP16",
    11: "FP64",
    12: "UINT32",
    13: "UINT64",
    16: "BF16",
}


@dataclass(frozen=True, kw_only=True)
class TensorSpec:
    """One tensor of a model config.

    `dims` omit the batch dimension; -1 is a variable size. `reshape` is the model's own shape if it differs: Triton has
    no empty dims, so a scalar is served as [1].
    """

    name: str
    dtype: str
    dims: tuple[int, ...]
    reshape: tuple[int, ...] | None = None

    @property
    def config_dtype(self) -> str:
        """The name in config.pbtxt: `TYPE_INT64`; BYTES is `TYPE_STRING` there."""
        return "TYPE_STRING" if self.dtype == "BYTES" else f"TYPE_{self.dtype}"

    def __str__(self) -> str:
        return f"{self.name} {self.dtype} {list(self.dims)}"

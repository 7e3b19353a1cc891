"""Tensors in Triton's words: a name, a data type and dims."""

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
    """One tensor as a model config names it.

    `dims` leave the batch dimension out; -1 stands for a length that varies from request to request. `reshape` is the
    shape that the model itself has where that is another: Triton knows no empty dims, so a scalar is served as [1].
    """

    name: str
    dtype: str
    dims: tuple[int, ...]
    reshape: tuple[int, ...] | None = None

    @property
    def config_dtype(self) -> str:
        """The name config.pbtxt uses: `TYPE_INT64`; BYTES is `TYPE_STRING` there."""
        return "TYPE_STRING" if self.dtype == "BYTES" else f"TYPE_{self.dtype}"

    def __str__(self) -> str:
        return f"{self.name} {self.dtype} {list(self.dims)}"

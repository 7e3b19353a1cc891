import onnx
import pytest
from tritonclient.grpc import model_config_pb2

from utils.repository.tensors import TRITON_DTYPES, TensorSpec

# ONNX names that differ from Triton's.
DIFFERENT_NAMES = {"FLOAT": "FP32", "FLOAT16": "FP16", "DOUBLE": "FP64", "BFLOAT16": "BF16", "STRING": "BYTES"}


@pytest.mark.parametrize(("number", "dtype"), TRITON_DTYPES.items())
def test_onnx_type_maps_to_the_triton_type_of_its_name(number, dtype):
    onnx_name = onnx.TensorProto.DataType.Name(number)
    assert DIFFERENT_NAMES.get(onnx_name, onnx_name) == dtype


@pytest.mark.parametrize("dtype", TRITON_DTYPES.values())
def test_every_type_has_a_name_in_model_configs(dtype):
    name = TensorSpec(name="x", dtype=dtype, dims=(1,)).config_dtype
    assert model_config_pb2.DataType.Value(name) != model_config_pb2.TYPE_INVALID  # ValueError if unknown


def test_text_is_bytes_in_requests_and_string_in_configs():
    assert TensorSpec(name="x", dtype="BYTES", dims=(1,)).config_dtype == "TYPE_STRING"


@pytest.mark.parametrize(
    ("dims", "text"), [((-1,), "ids INT64 [-1]"), ((2, 3), "ids INT64 [2, 3]"), ((), "ids INT64 []")]
)
def test_text_form_has_name_type_and_dims(dims, text):
    assert str(TensorSpec(name="ids", dtype="INT64", dims=dims)) == text

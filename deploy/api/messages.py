"""The messages of Triton's gRPC service that this process sends and reads.

They are a part of the open inference protocol (grpc_service.proto of Triton and KServe) with its names and numbers.
tests/deploy/api/test_messages.py compares them with tritonclient's. Fields that are left out are ignored on receipt.
"""

from collections.abc import Mapping
from typing import Any

from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

PACKAGE = "inference"
SERVICE = f"/{PACKAGE}.GRPCInferenceService"
# {message: {field: (number, type)}}; "[]" behind a type: repeated; a type of MESSAGES is a message.
MESSAGES: Mapping[str, Mapping[str, tuple[int, str]]] = {
    "ServerReadyRequest": {},
    "ServerReadyResponse": {"ready": (1, "bool")},
    "InferParameter": {"int64_param": (2, "int64"), "string_param": (3, "string")},
    "ParametersEntry": {"key": (1, "string"), "value": (2, "InferParameter")},
    "InferInputTensor": {"name": (1, "string"), "datatype": (2, "string"), "shape": (3, "int64[]")},
    "InferRequestedOutputTensor": {"name": (1, "string")},
    "ModelInferRequest": {
        "model_name": (1, "string"),
        "model_version": (2, "string"),
        "id": (3, "string"),
        "parameters": (4, "ParametersEntry[]"),
        "inputs": (5, "InferInputTensor[]"),
        "outputs": (6, "InferRequestedOutputTensor[]"),
        "raw_input_contents": (7, "bytes[]"),
    },
    "InferOutputTensor": {"name": (1, "string"), "datatype": (2, "string"), "shape": (3, "int64[]")},
    "ModelInferResponse": {"outputs": (5, "InferOutputTensor[]"), "raw_output_contents": (6, "bytes[]")},
}


def _descriptor(name: str, fields: Mapping[str, tuple[int, str]]) -> DescriptorProto:
    message = DescriptorProto(name=name)
    for field, (number, kind) in fields.items():
        base = kind.removesuffix("[]")
        repeated = FieldDescriptorProto.LABEL_REPEATED if kind != base else FieldDescriptorProto.LABEL_OPTIONAL
        added = message.field.add(name=field, number=number, label=repeated)
        if base in MESSAGES:
            added.type, added.type_name = FieldDescriptorProto.TYPE_MESSAGE, f".{PACKAGE}.{base}"
        else:
            added.type = FieldDescriptorProto.Type.Value(f"TYPE_{base.upper()}")
    return message


def _classes() -> dict[str, Any]:
    file = FileDescriptorProto(name="open_inference.proto", package=PACKAGE, syntax="proto3")
    file.message_type.extend(_descriptor(name, fields) for name, fields in MESSAGES.items())
    pool = DescriptorPool()  # its own: a process may also have those of tritonclient
    pool.Add(file)
    return {name: GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{name}")) for name in MESSAGES}


CLASSES = _classes()

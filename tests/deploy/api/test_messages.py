"""The part of Triton's gRPC messages that the API process has, against tritonclient's."""

from google.protobuf.descriptor import FieldDescriptor
from tritonclient.grpc import service_pb2

from deploy.api.messages import CLASSES, MESSAGES

NAMES = {
    FieldDescriptor.TYPE_BOOL: "bool",
    FieldDescriptor.TYPE_INT64: "int64",
    FieldDescriptor.TYPE_STRING: "string",
    FieldDescriptor.TYPE_BYTES: "bytes",
}
NESTED = {
    "InferInputTensor": service_pb2.ModelInferRequest.InferInputTensor,
    "InferRequestedOutputTensor": service_pb2.ModelInferRequest.InferRequestedOutputTensor,
    "InferOutputTensor": service_pb2.ModelInferResponse.InferOutputTensor,
    "ParametersEntry": service_pb2.ModelInferRequest.ParametersEntry,
}


def kind(field):
    base = NAMES.get(field.type) or field.message_type.name
    return f"{base}[]" if field.is_repeated else base


def test_numbers_and_types_are_those_of_tritonclient():
    for name, fields in MESSAGES.items():
        known = (NESTED.get(name) or getattr(service_pb2, name)).DESCRIPTOR.fields_by_name
        for field, stated in fields.items():
            assert stated == (known[field].number, kind(known[field])), (name, field)


def test_tritonclient_reads_a_request():
    request = CLASSES["ModelInferRequest"](model_name="m", model_version="2")
    request.parameters.add(key="dimensions", value={"int64_param": 8})
    request.parameters.add(key="prompt_name", value={"string_param": "query"})
    request.inputs.add(name="text_input", datatype="BYTES", shape=[2, 1])
    request.raw_input_contents.append(b"\1\0\0\0a\1\0\0\0b")
    read = service_pb2.ModelInferRequest.FromString(request.SerializeToString())
    assert (read.model_name, read.model_version, list(read.inputs[0].shape)) == ("m", "2", [2, 1])
    assert (read.parameters["dimensions"].int64_param, read.parameters["prompt_name"].string_param) == (8, "query")
    assert read.raw_input_contents[0] == request.raw_input_contents[0]

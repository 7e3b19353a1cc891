"""Calls as messages of Triton's gRPC service, and back. Needs the extra `grpc`."""

from typing import Any

from triton_image_client.calls import (
    BatchLimit,
    Call,
    Describe,
    Index,
    Infer,
    Metadata,
    TensorSpec,
    from_raw,
    to_raw,
)
from triton_image_client.errors import UsageError

try:
    import grpc
    from tritonclient.grpc import service_pb2
except ImportError as missing:
    raise UsageError(
        f"grpc:// needs more packages ({missing}); install them with: pip install 'triton-image-client[grpc]'"
    ) from missing

__all__ = ["METHODS", "decode", "encode", "grpc", "stub"]


METHODS = {Infer: "ModelInfer", Describe: "ModelMetadata", BatchLimit: "ModelConfig", Index: "RepositoryIndex"}


def stub(channel: Any, name: str) -> Any:
    """The method of the service on a channel of grpc or grpc.aio."""
    request, response = (getattr(service_pb2, f"{name}{kind}") for kind in ("Request", "Response"))
    return channel.unary_unary(
        f"/inference.GRPCInferenceService/{name}",
        request_serializer=request.SerializeToString,
        response_deserializer=response.FromString,
    )


def encode(call: Call) -> Any:
    """The message for a call."""
    if isinstance(call, Index):
        return service_pb2.RepositoryIndexRequest(ready=True)
    if isinstance(call, Describe):
        return service_pb2.ModelMetadataRequest(name=call.model, version=call.version)
    if isinstance(call, BatchLimit):
        return service_pb2.ModelConfigRequest(name=call.model, version=call.version)
    message = service_pb2.ModelInferRequest(model_name=call.model, model_version=call.version)
    for tensor in call.inputs:
        message.inputs.add(name=tensor.name, datatype="BYTES", shape=tensor.shape)
        message.raw_input_contents.append(to_raw(tensor.values))
    for name in call.outputs:
        message.outputs.add(name=name)
    for name, value in call.parameters.items():
        kind = "string_param" if isinstance(value, str) else "int64_param"
        setattr(message.parameters[name], kind, value)
    return message


def decode(call: Call, message: Any) -> Any:
    """The result of a call: see the classes of calls."""
    if isinstance(call, Index):
        return [each.name for each in message.models]
    if isinstance(call, BatchLimit):
        return int(message.config.max_batch_size)
    if isinstance(call, Describe):
        inputs, outputs = (tuple(map(_spec, tensors)) for tensors in (message.inputs, message.outputs))
        return Metadata(name=message.name, versions=tuple(message.versions), inputs=inputs, outputs=outputs)
    return {
        tensor.name: from_raw(tensor.datatype, tensor.shape, raw)
        for tensor, raw in zip(message.outputs, message.raw_output_contents, strict=True)
    }


def _spec(tensor: Any) -> TensorSpec:
    return TensorSpec(name=tensor.name, datatype=tensor.datatype, shape=tuple(tensor.shape))

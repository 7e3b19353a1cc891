"""Converts a frozen TensorFlow graph (.pb) to ONNX, in a process and an environment of its own."""

from collections.abc import Sequence
from pathlib import Path

from utils.host import children, environment
from utils.host.environments import TENSORFLOW
from utils.host.errors import ExportError, FactoryError, SourceError, UsageError

CHILD = "utils.convert.origins.tf2onnx_child"
# The error names of the child.
ERRORS: dict[str, type[FactoryError]] = {"source": SourceError, "export": ExportError}


def convert(pb: Path, destination: Path, *, inputs: Sequence[str], outputs: Sequence[str], opset: int) -> Path:
    """Writes the part of the graph in `pb` between these tensors to the file `destination` and returns that.

    Tensors are named as TensorFlow does, operation:index, and keep their names. Raises UsageError (2) when none are
    given, SourceError (3) for a file that is no GraphDef, ExportError (4) for tensors that the graph lacks (telling
    those it has) and for what tf2onnx cannot convert.
    """
    for option, names in (("--inputs", inputs), ("--outputs", outputs)):
        if not names:
            raise UsageError(
                f"a frozen graph does not say where it begins and ends: name its tensors with {option}, "
                "such as input_images:0"
            )
    if not pb.is_file():
        raise SourceError(f"{str(pb)!r} is no file; name a frozen TensorFlow graph (.pb)")
    request = {
        "pb": str(pb.absolute()),
        "destination": str(destination.absolute()),
        "inputs": list(inputs),
        "outputs": list(outputs),
        "opset": opset,
    }
    quiet = {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}  # the CPU only, without TensorFlow's log
    try:
        answer = children.ask(environment.ensure(TENSORFLOW), CHILD, request, environment=quiet)
    except children.NoAnswerError as error:
        raise ExportError(
            f"the conversion of {pb.name} ended without a result: {error}; "
            "if the machine is short of memory or disk, free some and run the same command again"
        ) from None
    if answer:
        raise ERRORS[answer["error"]](answer["message"])
    return destination

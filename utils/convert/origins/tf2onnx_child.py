"""The child of frozen_graph.py in the TensorFlow environment: a request on stdin, an answer on stdout."""

import json
import sys
from pathlib import Path
from typing import Any

from utils.host.errors import ExportError, FactoryError, SourceError
from utils.host.exceptions import brief
from utils.host.streams import take_stdout


def main() -> None:
    """Answers with {} or {"error": "source" or "export", "message": one sentence}."""
    # Libraries print to stdout, too.
    answer = take_stdout()
    result: dict[str, str] = {}
    try:
        convert(json.load(sys.stdin))
    except FactoryError as error:
        result = {"error": "source" if isinstance(error, SourceError) else "export", "message": str(error)}
    answer.write(json.dumps(result).encode())
    answer.close()


def convert(request: dict[str, Any]) -> None:
    """Writes the ONNX file. Raises SourceError or ExportError."""
    from tf2onnx.convert import from_graph_def

    pb = Path(request["pb"])
    definition = read(pb)
    inputs, outputs = request["inputs"], request["outputs"]
    require_tensors(pb, definition, inputs, outputs)
    try:
        from_graph_def(
            definition,
            input_names=inputs,
            output_names=outputs,
            opset=request["opset"],
            output_path=request["destination"],
        )
    except Exception as error:  # tf2onnx has no error class of its own
        raise ExportError(
            f"tf2onnx cannot convert {pb.name} at opset {request['opset']} ({brief(error, named=True)}); "
            "check that the outputs follow from the inputs, or choose a release with a newer opset"
        ) from error


def read(pb: Path) -> Any:
    """The file as a GraphDef with at least one node: no byte at all is a graph too, but nobody meant it."""
    from google.protobuf.message import DecodeError
    from tensorflow.core.framework.graph_pb2 import GraphDef

    definition = GraphDef()
    try:
        definition.ParseFromString(pb.read_bytes())
    except (DecodeError, UnicodeDecodeError, OSError) as error:
        raise SourceError(f"{str(pb)!r} is no frozen TensorFlow graph ({error}); name the .pb file itself") from error
    if not definition.node:
        raise SourceError(f"{str(pb)!r} holds no TensorFlow operation; name a frozen graph, not a saved model or text")
    return definition


def require_tensors(pb: Path, definition: Any, inputs: list[str], outputs: list[str]) -> None:
    """ExportError that tells the placeholders, or the tensors nothing takes, when a name is none of the graph's."""
    import tensorflow as tf

    graph = tf.Graph()
    try:
        with graph.as_default():
            tf.import_graph_def(definition, name="")
    except (ValueError, tf.errors.OpError) as error:
        raise ExportError(f"TensorFlow does not take the graph in {pb.name}: {brief(error)}") from error
    operations = graph.get_operations()
    tensors = {tensor.name: tensor for operation in operations for tensor in operation.outputs}
    starts = [name for name, tensor in tensors.items() if tensor.op.type.startswith("Placeholder")]
    ends = [name for name, tensor in tensors.items() if not tensor.consumers() and tensor.op.type != "Const"]
    for option, names, known in (("--inputs", inputs, starts), ("--outputs", outputs, ends)):
        absent = [name for name in names if name not in tensors]
        if absent:
            raise ExportError(
                f"{pb.name} has no tensor {', '.join(absent)}; for {option} it has {_shown(known)} "
                "(tensors are named operation:index)"
            )


def _shown(names: list[str], most: int = 20) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "") or "none"


if __name__ == "__main__":
    main()

"""What bare ONNX Runtime is given: `python -m benchmarks.bare_graphs GRAPH FOLDER` writes fp32.onnx and int8.onnx.

Each is one file, as exporters write it. int8 is what ONNX Runtime's own tool makes: the numbers are those of the
factory's int8, but a batch is one tensor with one range, so that a text's answer depends on those beside it. That is
what bare ONNX Runtime int8 is, and the fastest it can be.
"""

import sys
from pathlib import Path


def write(graph: Path, folder: Path) -> None:
    """Both, of the graph of a build."""
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    onnx.save(onnx.load(graph), str(folder / "fp32.onnx"))
    quantize_dynamic(
        folder / "fp32.onnx", folder / "int8.onnx", weight_type=QuantType.QInt8, per_channel=True, reduce_range=True
    )


if __name__ == "__main__":
    write(Path(sys.argv[1]), Path(sys.argv[2]))

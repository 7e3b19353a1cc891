"""A graph with int8 weights, as ONNX Runtime's own tool makes them: `python -m benchmarks.quantize GRAPH MADE`.

The numbers are those of the factory's int8, but a batch is one tensor with one range: a text's answer depends on those
beside it. That is what bare ONNX Runtime int8 is, and the fastest it can be.
"""

import sys

if __name__ == "__main__":
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(sys.argv[1], sys.argv[2], weight_type=QuantType.QInt8, per_channel=True, reduce_range=True)

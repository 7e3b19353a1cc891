"""All contestants, one row each."""

from benchmarks.contestant import INT8, OPENVINO, OPENVINO_BF16, Contestant, ours
from benchmarks.others import documented, fastapi, fixed_padding, infinity, mlserver

# HTTP-only contestants get no short and long texts. Contestants for one comparison get only the loads of that one.
HTTP_LOADS = ("mixed-http-*",)
OVER_CLIENTS = ("mixed-grpc-*x1",)
CONTESTANTS = {
    row.name: row
    for row in (
        ours("fused", "one process", "--layout", "fused"),
        ours("fused int8", "with int8 weights", "--layout", "fused", "--precision", "int8", limit=INT8),
        ours(
            "fused int8 calibrated",
            "with int8 weights and scales fixed from texts",
            "--layout",
            "fused",
            "--precision",
            "int8",
            limit=INT8,
            is_calibrated=True,
        ),
        ours("fused OpenVINO", "with OpenVINO in FP32", "--layout", "fused", "--engine", "openvino", limit=OPENVINO),
        ours(
            "fused OpenVINO bf16",
            "the same in BF16",
            "--layout",
            "fused",
            "--engine",
            "openvino",
            "--precision",
            "bf16",
            limit=OPENVINO_BF16,
        ),
        ours("ensemble", "three Triton models", "--layout", "ensemble"),
        ours("fused unbatched", "no dynamic batching", "--layout", "fused", loads=OVER_CLIENTS, batching=False),
        ours("ensemble unbatched", "no dynamic batching", "--layout", "ensemble", loads=OVER_CLIENTS, batching=False),
        Contestant(
            name="documented ensemble",
            what="three Triton models as in tutorials: AutoTokenizer for each request, padding to its longest text, "
            "no dynamic batching",
            prepare=documented,
        ),
        Contestant(
            name="fixed padding",
            what="the client tokenizes, pads every text to 128 tokens and sends them to the graph",
            prepare=fixed_padding,
            loads=OVER_CLIENTS,
        ),
        Contestant(
            name="FastAPI", what="transformers on PyTorch behind a web framework", prepare=fastapi, loads=HTTP_LOADS
        ),
        Contestant(name="infinity", what="infinity-emb on PyTorch", prepare=infinity, loads=HTTP_LOADS),
        Contestant(name="MLServer", what="its Hugging Face runtime", prepare=mlserver, loads=HTTP_LOADS),
    )
}

"""All contestants, a row each."""

from benchmarks.contestant import INT8, Contestant, ours
from benchmarks.others import documented, fastapi, fixed_padding, infinity, mlserver

# What asks over HTTP only is not given short and long texts, and what shows one thing only those loads that show it.
HTTP_LOADS = ("mixed-http-*",)
OVER_CLIENTS = ("mixed-grpc-*x1",)
CONTESTANTS = {
    row.name: row
    for row in (
        ours("fused", "one process", "--layout", "fused"),
        ours("fused int8", "with int8 weights", "--layout", "fused", "--precision", "int8", limit=INT8),
        ours("fused OpenVINO", "by OpenVINO in FP32", "--layout", "fused", "--engine", "openvino"),
        ours("fused OpenVINO bf16", "in BF16", "--layout", "fused", "--engine", "openvino", "--precision", "bf16"),
        ours("ensemble", "three Triton models", "--layout", "ensemble"),
        ours("fused unbatched", "no dynamic batching", "--layout", "fused", loads=OVER_CLIENTS, batching=False),
        ours("ensemble unbatched", "likewise", "--layout", "ensemble", loads=OVER_CLIENTS, batching=False),
        Contestant(
            name="documented ensemble",
            what="three Triton models as tutorials have them: AutoTokenizer a request, padding to its longest text, "
            "no dynamic batching",
            prepare=documented,
        ),
        Contestant(
            name="fixed padding",
            what="the client tokenizes, pads every text to 128 tokens and asks the graph",
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

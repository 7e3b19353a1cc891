"""Which model types the exporter converts, told without importing it: a build refuses a type before it fetches weights.

tests/families/test_walk.py holds this table against the exporter's own list.
"""

from utils.host.errors import ExportError

# Export task -> model types, as config.json names them.
SUPPORTED = {
    "text-classification": (
        "albert", "bart", "bert", "big_bird", "bigbird_pegasus", "bloom", "camembert", "convbert", "data2vec-text",
        "deberta", "deberta-v2", "distilbert", "electra", "esm", "flaubert", "gemma", "gemma2", "gemma3", "gpt2",
        "gpt_bigcode", "gpt_neo", "gpt_neox", "gptj", "ibert", "llama", "mbart", "megatron-bert",
        "mistral", "mobilebert", "modernbert", "mpnet", "mpt", "nystromformer", "opt", "perceiver", "phi", "phi3",
        "qwen2", "qwen3", "qwen3_moe", "rembert", "roberta", "roformer", "smollm3", "squeezebert", "xlm", "xlm-roberta",
    ),
    "question-answering": (
        "albert", "bart", "bert", "big_bird", "bigbird_pegasus", "camembert", "convbert", "data2vec-text", "deberta",
        "deberta-v2", "distilbert", "electra", "falcon", "flaubert", "gptj", "ibert", "mbart", "megatron-bert",
        "mobilebert", "mpnet", "nystromformer", "opt", "rembert", "roberta", "roformer", "splinter", "squeezebert",
        "xlm", "xlm-roberta",
    ),
    "token-classification": (
        "albert", "bert", "big_bird", "bloom", "camembert", "convbert", "data2vec-text", "deberta", "deberta-v2",
        "distilbert", "electra", "esm", "falcon", "flaubert", "gpt2", "gpt_bigcode", "ibert", "megatron-bert",
        "mobilebert", "modernbert", "mpnet", "mpt", "nystromformer", "qwen2", "qwen3_moe", "rembert", "roberta",
        "roformer", "squeezebert", "xlm", "xlm-roberta",
    ),
}  # fmt: skip
# Of a task that the exporter also has for pictures and sounds: the types that read texts.
OF_TEXTS = {
    "feature-extraction": (
        "albert", "bert", "big_bird", "camembert", "convbert", "data2vec-text", "deberta", "deberta-v2", "distilbert",
        "electra", "ibert", "megatron-bert", "mobilebert", "modernbert", "mpnet", "nystromformer", "rembert",
        "roberta", "roformer", "squeezebert", "xlm-roberta",
    ),
}  # fmt: skip
# Types the exporter converts all the same, and why their graphs cannot answer texts.
UNSERVABLE = {
    "layoutlm": "it reads more than text: the place of each word on the page (bbox)",
    "layoutlmv3": "it reads more than text: the page's picture and each word's place on it (pixel_values, bbox)",
    "lilt": "it reads more than text: the place of each word on the page (bbox)",
    "longformer": "the graph that the exporter writes for it fails in ONNX Runtime",
    "markuplm": "it reads more than text: the place of each word in a web page (xpath_tags_seq, xpath_subs_seq)",
}


def require_supported(model_type: str, export_task: str) -> None:
    """ExportError (exit 4) for a type that cannot be served from texts, listing those that can."""
    if model_type in UNSERVABLE:
        raise ExportError(
            f"model type {model_type!r} cannot be served: {UNSERVABLE[model_type]}; give a model of another type"
        )
    supported = SUPPORTED.get(export_task) or OF_TEXTS[export_task]
    if model_type.replace("_", "-") not in {name.replace("_", "-") for name in supported}:
        raise ExportError(
            f"the exporter cannot convert model type {model_type!r} for {export_task}; it knows {', '.join(supported)}"
        )

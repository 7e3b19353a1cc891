"""The model types that the exporter converts, as a table: a build refuses a type before it fetches weights.

tests/families/test_walk.py compares this table with the exporter's own list.
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
# For a task that the exporter also has for images, audio or tokenizers without a fast form: the types that are served.
OF_TEXTS = {
    "fill-mask": (
        "albert", "bert", "big_bird", "camembert", "convbert", "data2vec-text", "deberta", "deberta-v2", "distilbert",
        "electra", "ibert", "megatron-bert", "mobilebert", "modernbert", "mpnet", "nystromformer", "rembert", "roberta",
        "squeezebert", "xlm-roberta",
    ),
    "feature-extraction": (
        "albert", "bert", "big_bird", "camembert", "convbert", "data2vec-text", "deberta", "deberta-v2", "distilbert",
        "electra", "ibert", "megatron-bert", "mobilebert", "modernbert", "mpnet", "nystromformer", "rembert",
        "roberta", "roformer", "squeezebert", "xlm-roberta",
    ),
}  # fmt: skip
# Types that the exporter converts, and why their graphs cannot serve texts.
UNSERVABLE = {
    "layoutlm": "it reads more than text: the position of each word on the page (bbox)",
    "layoutlmv3": "it reads more than text: the page image and the position of each word (pixel_values, bbox)",
    "lilt": "it reads more than text: the position of each word on the page (bbox)",
    "longformer": "its exported graph fails in ONNX Runtime",
    "markuplm": "it reads more than text: the XPath of each word in a web page (xpath_tags_seq, xpath_subs_seq)",
}


def require_supported(model_type: str, export_task: str) -> None:
    """ExportError (exit 4) for a type that cannot be served; it lists those that can."""
    if model_type in UNSERVABLE:
        raise ExportError(
            f"model type {model_type!r} cannot be served: {UNSERVABLE[model_type]}; use another model type"
        )
    supported = SUPPORTED.get(export_task) or OF_TEXTS[export_task]
    if model_type.replace("_", "-") not in {name.replace("_", "-") for name in supported}:
        raise ExportError(
            f"the exporter cannot convert model type {model_type!r} for {export_task}; "
            f"it supports {', '.join(supported)}"
        )

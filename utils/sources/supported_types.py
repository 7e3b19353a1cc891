"""The model types that each exporter converts, as tables: a build refuses a type before it fetches weights.

tests/families/test_walk.py compares optimum's table with its own list, tests/families/test_walk_of_5.py converts the
types of dynamo's.
"""

from utils.host.errors import ExportError
from utils.targets.exporters import DYNAMO, EXPORTERS, OPTIMUM

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
# The types that the exporter `dynamo` converts, for a task whose head transformers 5 has.
BY_DYNAMO = {
    "text-classification": (
        "albert", "bart", "bert", "bloom", "camembert", "convbert", "deberta-v2", "distilbert", "electra", "ernie",
        "eurobert", "falcon", "gemma", "gemma2", "gemma3", "gemma3_text", "gpt2", "gpt_neox", "gte",
        "jina_embeddings_v3", "llama", "ministral3", "mistral", "modernbert", "modernbert-decoder", "mpnet",
        "nomic_bert", "olmo2", "olmo3", "opt", "phi", "phi3", "qwen2", "qwen3", "roberta", "smollm3", "xlm-roberta",
    ),
    "question-answering": (
        "albert", "bert", "camembert", "deberta-v2", "distilbert", "electra", "ernie", "jina_embeddings_v3", "llama",
        "ministral3", "mistral", "modernbert", "mpnet", "qwen2", "qwen3", "roberta", "xlm-roberta",
    ),
    "token-classification": (
        "albert", "bert", "camembert", "deberta-v2", "distilbert", "electra", "ernie", "eurobert", "gemma", "gemma2",
        "gpt2", "gte", "jina_embeddings_v3", "llama", "ministral3", "mistral", "modernbert", "mpnet", "nomic_bert",
        "qwen2", "qwen3", "roberta", "xlm-roberta",
    ),
    "fill-mask": (
        "albert", "bert", "camembert", "deberta-v2", "distilbert", "electra", "ernie", "eurobert", "gte",
        "jina_embeddings_v3", "modernbert", "mpnet", "nomic_bert", "roberta", "xlm-roberta",
    ),
    "feature-extraction": (
        "albert", "bert", "camembert", "deberta-v2", "distilbert", "electra", "ernie", "eurobert", "gemma", "gemma2",
        "gemma3_text", "gpt2", "gte", "jina_embeddings_v3", "llama", "ministral3", "mistral", "modernbert",
        "modernbert-decoder", "mpnet", "nomic_bert", "opt", "qwen2", "qwen3", "roberta", "xlm-roberta",
    ),
}  # fmt: skip
# Types that transformers 4 lacks.
ONLY_VERSION_5 = (
    "cohere_compass_text", "esmc", "eurobert", "gte", "jina_embeddings_v3", "minicpm3", "ministral3", "modernvbert",
    "nomic_bert", "qwen3_5", "qwen3_5_text", "t5gemma2", "ultrabert", "ultravbert",
)  # fmt: skip
# For each exporter: types that it converts, and why their graphs cannot serve texts.
OF_OPTIMUM = {
    "layoutlm": "it reads more than text: the position of each word on the page (bbox)",
    "layoutlmv3": "it reads more than text: the page image and the position of each word (pixel_values, bbox)",
    "lilt": "it reads more than text: the position of each word on the page (bbox)",
    "longformer": "its exported graph fails in ONNX Runtime",
    "markuplm": "it reads more than text: the XPath of each word in a web page (xpath_tags_seq, xpath_subs_seq)",
}
_MORE = "it reads more than text: the position of each word on a page or in a table"
_EXPERTS = "transformers 5 computes its experts by a grouped product, for which ONNX has no operator"
_LENGTH = "its exported graph would have a fixed number of tokens"
UNSERVABLE = {
    OPTIMUM: OF_OPTIMUM,
    DYNAMO: {
        **dict.fromkeys(("layoutlm", "layoutlmv2", "layoutlmv3", "lilt", "markuplm", "tapas"), _MORE),
        **dict.fromkeys(
            ("axk1", "axk2", "deepseek_v2", "deepseek_v3", "gpt_oss", "hunyuan_v1_moe", "minimax", "mistral4",
             "mixtral", "phimoe", "qwen2_moe", "qwen3_moe", "qwen3_next"), _EXPERTS,
        ),
        **dict.fromkeys(("canine", "funnel", "jamba"), _LENGTH),
        "longformer": "the shapes in its graph would depend on the values in global_attention_mask",
        "mbart": "its exported graph fails in ONNX Runtime for a batch of one text",
    },
}  # fmt: skip


def supported(exporter: str, export_task: str) -> tuple[str, ...]:
    """The types that an exporter converts for a task."""
    if exporter == DYNAMO:
        return BY_DYNAMO.get(export_task, ())
    return {**OF_TEXTS, **SUPPORTED}.get(export_task, ())


def converts(exporter: str, model_type: str, export_task: str) -> bool:
    """Whether an exporter converts a type, which may be written with dashes or underscores."""
    names = {name.replace("_", "-") for name in supported(exporter, export_task)}
    return model_type not in UNSERVABLE[exporter] and model_type.replace("_", "-") in names


def require_supported(model_type: str, export_task: str, exporter: str | None = None) -> str:
    """The exporter: the given one, or the first that converts the type.

    ExportError (exit 4) for a type that it cannot serve; it lists those that it can.
    """
    allowed = (exporter,) if exporter else EXPORTERS
    chosen = next((each for each in allowed if converts(each, model_type, export_task)), None)
    if chosen:
        return chosen
    reasons = [UNSERVABLE[each][model_type] for each in allowed if model_type in UNSERVABLE[each]]
    if reasons:
        raise ExportError(f"model type {model_type!r} cannot be served: {reasons[0]}; use another model type")
    names = sorted({name for each in allowed for name in supported(each, export_task)})
    if others := [each for each in EXPORTERS if converts(each, model_type, export_task)]:
        remedy = f"leave out --exporter: {others[0]} converts it"
    else:
        remedy = f"it supports {', '.join(names)}"
    given = f" {exporter}" if exporter else ""
    raise ExportError(f"the exporter{given} cannot convert model type {model_type!r} for {export_task}; {remedy}")

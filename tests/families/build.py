"""A tiny random model of any type: its own config class shrunk by the names of its sizes, its own tokenizer class."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests import tiny_models
from tests.families import vocabularies

POSITIONS = 128
# What the config classes call their sizes. Only names that a class has are set.
SMALL = {
    **dict.fromkeys(
        ("hidden_size", "d_model", "n_embd", "dim", "emb_dim", "embedding_size", "word_embed_proj_dim"), 32
    ),
    **dict.fromkeys(("input_embedding_size", "output_embedding_size", "d_latents"), 32),
    **dict.fromkeys(("num_hidden_layers", "num_layers", "n_layer", "n_layers", "encoder_layers", "decoder_layers"), 2),
    **dict.fromkeys(("num_attention_heads", "n_head", "n_heads", "num_heads", "num_key_value_heads"), 2),
    **dict.fromkeys(("encoder_attention_heads", "decoder_attention_heads"), 2),
    **dict.fromkeys(
        ("intermediate_size", "n_inner", "hidden_dim", "ffn_dim", "encoder_ffn_dim", "decoder_ffn_dim"), 64
    ),
    **dict.fromkeys(("max_position_embeddings", "n_positions", "max_seq_len"), POSITIONS),
    "head_dim": 16,
}
# What cannot be told from the names: sizes that depend on each other, and ids the class has no room for in a tiny one.
_ROPE = {"rope_type": "default", "rope_theta": 1e4}
_EXPERTS = {"num_experts_per_tok": 2, "moe_intermediate_size": 32}
# The ranks and sizes of heads whose keys and values are compressed, and of experts.
_LATENT = {
    **_EXPERTS, "n_routed_experts": 4, "n_group": 2, "topk_group": 1, "kv_lora_rank": 16, "q_lora_rank": 16,
    "qk_rope_head_dim": 8, "qk_nope_head_dim": 8, "qk_head_dim": 16, "v_head_dim": 16, "head_dim": 8,
}  # fmt: skip
# A layer of each kind.
_LINEAR = {
    "layer_types": ["linear_attention", "full_attention"], "linear_key_head_dim": 16, "linear_value_head_dim": 16,
    "linear_num_key_heads": 2, "linear_num_value_heads": 2,
}  # fmt: skip
_PICTURES = {"image_size": 28, "patch_size": 14}
_PLAIN = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
_GEMMA = {**_PLAIN, "num_key_value_heads": 2, "head_dim": 16, "sliding_window": 16, "vocab_size": 512}
OVERRIDES: dict[str, dict[str, Any]] = {
    "axk1": _LATENT,
    "axk2": _LATENT,
    "cohere_compass_text": {"rope_parameters": {"full_attention": _ROPE, "sliding_attention": _ROPE}},
    "deepseek_v2": {**_LATENT, "n_group": 1},
    "deepseek_v3": {**_LATENT, "first_k_dense_replace": 1},
    "gemma3": {"text_config": {"sliding_window": 16}, "vision_config": _PICTURES},
    "gpt_neo": {"attention_types": [[["global", "local"], 1]], "window_size": 16},
    "gptj": {"rotary_dim": 8},
    "jamba": {"attn_layer_period": 2, "attn_layer_offset": 1, "mamba_dt_rank": 4, "num_experts": 4},
    "longformer": {"attention_window": 16},
    "luke": {"entity_vocab_size": 10, "entity_emb_size": 16},
    "mistral4": {**_LATENT, "head_dim": 16},
    "nystromformer": {"conv_kernel_size": 5},
    "qwen2_moe": {**_EXPERTS, "num_experts": 4, "shared_expert_intermediate_size": 32},
    "qwen3_5": {"text_config": _LINEAR, "vision_config": {"depth": 1, "hidden_size": 32, "intermediate_size": 64}},
    "qwen3_5_text": _LINEAR,
    "qwen3_moe": {**_EXPERTS, "num_experts": 4},
    "qwen3_next": {**_LINEAR, **_EXPERTS, "num_experts": 4, "shared_expert_intermediate_size": 32},
    "reformer": {
        "attn_layers": ["local", "lsh"], "axial_pos_embds_dim": [16, 16], "axial_pos_shape": [8, 16],
        "attention_head_size": 16, "feed_forward_size": 64,
    },
    "t5": {"decoder_start_token_id": 0},
    "t5gemma": {"encoder": _GEMMA, "decoder": {**_GEMMA, "cross_attention_hidden_size": 32}},
    "t5gemma2": {"encoder": {"text_config": _GEMMA, "vision_config": {**_PICTURES, **_PLAIN}}, "decoder": _GEMMA},
    "xmod": {"default_language": "en_XX"},
    "zamba": {
        "num_hidden_layers": 3, "layers_block_type": ["linear_attention", "hybrid", "hybrid"], "mamba_dt_rank": 4,
        "attention_hidden_size": 64, "attention_head_dim": 32,
    },
    "zamba2": {
        "layers_block_type": ["linear_attention", "hybrid"], "attention_hidden_size": 64, "attention_head_dim": 32,
        "mamba_d_state": 16, "mamba_headdim": 8, "kv_channels": 16,
    },
}  # fmt: skip
# Tokenizer classes whose vocabulary is no vocab.txt: its form, and the arrangement of a SentencePiece file.
_UNIGRAM, _BYTES = vocabularies.UNIGRAM, (vocabularies.BYTE_LEVEL, "plain")
FORMS = {
    "Albert": (_UNIGRAM, "albert"),
    "BigBird": (_UNIGRAM, "bigbird"),
    "RemBert": (_UNIGRAM, "albert"),
    "DebertaV2": (_UNIGRAM, "deberta"),
    "Pegasus": (_UNIGRAM, "pegasus"),
    **dict.fromkeys(("Camembert", "MBart", "XLMRoberta"), (_UNIGRAM, "plain")),
    "Gemma": (vocabularies.SENTENCEPIECE_BPE, "gemma"),
    "Llama": (vocabularies.SENTENCEPIECE_BPE, "plain"),
    **dict.fromkeys(("Bart", "Bloom", "CodeGen", "Deberta", "GPT2", "GPTNeoX"), _BYTES),
    **dict.fromkeys(("LayoutLMv3", "Longformer", "PreTrained", "Qwen2", "Roberta"), _BYTES),
}


def form_of(model_type: str) -> str:
    """The form of vocabulary that the type's own tokenizer class reads."""
    return form_and_arrangement(fast_class(model_type))[0]


def form_and_arrangement(name: str) -> tuple[str, str]:
    return FORMS.get(name.removesuffix("TokenizerFast"), (vocabularies.WORDPIECE, "plain"))


def fast_class(model_type: str) -> str:
    from transformers.models.auto.tokenization_auto import TOKENIZER_MAPPING_NAMES

    names = TOKENIZER_MAPPING_NAMES.get(model_type) or (None, None)
    return names[1] or "PreTrainedTokenizerFast"


def make_tokenizer(model_type: str, folder: Path) -> Any:
    """The type's own fast tokenizer, from freshly trained vocabulary files written to `folder`."""
    import transformers

    name = fast_class(model_type)
    if name in ("BloomTokenizerFast", "GPTNeoXTokenizerFast", "PreTrainedTokenizerFast"):
        return getattr(transformers, name)(
            tokenizer_object=tiny_models.byte_level_bpe(), pad_token="<pad>", eos_token="</s>", unk_token="<unk>",
            model_max_length=POSITIONS, model_input_names=["input_ids", "attention_mask"],
        )  # fmt: skip
    form, arrangement = form_and_arrangement(name)
    files = vocabularies.write(form, folder, arrangement=arrangement)
    tokenizer = getattr(transformers, name)(**files, model_max_length=POSITIONS)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
    return tokenizer


def make_config(model_type: str, tokenizer: Any, labels: Sequence[str] = tiny_models.LABELS, **changes: Any) -> Any:
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    config_class = CONFIG_MAPPING[model_type]
    known = config_class().to_dict()
    sizes = {name: size for name, size in SMALL.items() if name in known}
    ids = {name: getattr(tokenizer, name) for name in ("pad_token_id", "bos_token_id", "eos_token_id")}
    ids = {name: id_ for name, id_ in ids.items() if id_ is not None}
    vocabulary = {"vocab_size": max(tokenizer.get_vocab().values()) + 1}
    heads = {"id2label": dict(enumerate(labels)), "label2id": {label: i for i, label in enumerate(labels)}}
    settings = {**sizes, **vocabulary, **ids}
    overrides = dict(OVERRIDES.get(model_type, {}))
    for part in [name for name in known if name.endswith("_config") and isinstance(known[name], dict)]:
        shrunk = {name: value for name, value in {**SMALL, **vocabulary, **ids}.items() if name in known[part]}
        overrides[part] = {**shrunk, **overrides.get(part, {})}
    return config_class(**{**settings, **heads, **overrides, **changes})


def make_model(model_type: str, folder: Path, **changes: Any) -> Path:
    """A folder as save_pretrained() writes it, model and tokenizer."""
    from transformers import AutoModelForSequenceClassification

    tokenizer = make_tokenizer(model_type, folder)
    config = make_config(model_type, tokenizer, **changes)
    model = AutoModelForSequenceClassification.from_config(config)
    return tiny_models.save(model, tokenizer, folder)


def make_weightless(model_type: str, folder: Path) -> Path:
    """config.json and the files of the type's own tokenizer class, fast or not: enough for what is refused early."""
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING
    from transformers.models.auto.tokenization_auto import TOKENIZER_MAPPING_NAMES

    form = vocabularies.BYTE_LEVEL if model_type in ("flaubert", "xlm") else vocabularies.WORDPIECE
    vocabularies.write(form, folder)
    CONFIG_MAPPING[model_type]().save_pretrained(folder)
    names = TOKENIZER_MAPPING_NAMES.get(model_type) or ("BertTokenizer",)
    settings = {"tokenizer_class": names[0], "model_max_length": POSITIONS}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    return folder

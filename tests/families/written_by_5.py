"""Run by a Python that has transformers 5: small models of each type, no numeric config field at its default.

`python -m tests.families.written_by_5 FOLDER TYPE ...` writes FOLDER/TYPE[-VARIANT] with save_pretrained(). by_5.json
beside config.json holds {"texts": [...], "logits": [[...], ...], "changed": {field: value}}, one text at a time.
"""

import json
import sys
from pathlib import Path
from typing import Any

from tests import tiny_models
from tests.families.build import POSITIONS, SMALL, make_config
from utils.repository.corpus import GOLDEN_TEXTS

# The longest golden text is left out: types differ in how many tokens they take.
TEXTS = (*GOLDEN_TEXTS[:-1], "I would like my money back, please. " * 3)
# Sizes that depend on one another, ids, and fields of training and generation only.
LEFT = {*SMALL, "vocab_size", "num_labels", "chunk_size_feed_forward", "type_vocab_size", "rotary_dim", "rotary_ndims"}
# Integers that are not sizes, with a value other than the default.
WHOLE = {"sliding_window": 7, "local_attention": 8, "global_attn_every_n_layers": 2, "sliding_window_pattern": 2,
         "num_experts_per_tok": 3, "query_pre_attn_scalar": 31, "window_size": 7, "num_random_blocks": 2,
         "no_rope_layer_interval": 2, "position_buckets": 16, "max_relative_positions": 24, "max_2d_position": 24,
         "attention_window": 8, "conv_kernel_size": 3, "max_source_positions": 64}  # fmt: skip
# Types whose full and sliding attention have different angles.
LAYERED = ("gemma3", "modernbert")
PLAIN = {"rope_type": "default", "rope_theta": 777.0}
VARIANTS: dict[str, dict[str, Any]] = {
    "linear": {"rope_type": "linear", "rope_theta": 777.0, "factor": 3.0},
    "dynamic": {"rope_type": "dynamic", "rope_theta": 777.0, "factor": 3.0},
    "llama3": {"rope_type": "llama3", "rope_theta": 777.0, "factor": 8.0, "low_freq_factor": 1.0,
               "high_freq_factor": 4.0, "original_max_position_embeddings": 16},
    "yarn": {"rope_type": "yarn", "rope_theta": 777.0, "factor": 4.0, "original_max_position_embeddings": 16,
             "beta_fast": 20.0},
}  # fmt: skip


def tokenizer() -> Any:
    """It ends each text with </s>: BART and its relatives read the state of that token."""
    from tokenizers import processors
    from transformers import PreTrainedTokenizerFast

    backend = tiny_models.byte_level_bpe()
    end = ("</s>", backend.token_to_id("</s>"))
    backend.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[end])
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="<pad>", eos_token="</s>", bos_token="<s>",
        unk_token="<unk>", model_max_length=POSITIONS, model_input_names=["input_ids", "attention_mask"],
    )  # fmt: skip


def changes(known: dict[str, Any]) -> dict[str, Any]:
    """A value other than the default for every numeric field of a config but sizes and ids."""
    made: dict[str, Any] = {}
    for name, value in known.items():
        if name in LEFT or name.endswith(("_id", "_ids")) or isinstance(value, bool):
            continue
        if name in WHOLE:
            made[name] = WHOLE[name]
        elif "eps" in name and isinstance(value, float):
            made[name] = 3e-3
        elif "softcapping" in name:
            made[name] = 1.5
        elif isinstance(value, float):
            made[name] = value * 0.75 or 0.1
    if "rope_parameters" in known:
        made["rope_parameters"] = dict(PLAIN)
        if "partial_rotary_factor" in (known["rope_parameters"] or {}):
            made["rope_parameters"]["partial_rotary_factor"] = 0.25
    return made


def write(model_type: str, folder: Path, changed: dict[str, Any]) -> None:
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    words = tokenizer()
    config = make_config(model_type, words, **changed)
    model = tiny_models.initialised(AutoModelForSequenceClassification.from_config(config).float().eval())
    model.save_pretrained(folder)
    words.save_pretrained(folder)
    words = AutoTokenizer.from_pretrained(folder)  # the class of some types has a pre-tokenizer of its own
    words.save_pretrained(folder)
    logits = []
    with torch.no_grad():
        for text in TEXTS:
            logits.append(model(**words(text, return_tensors="pt")).logits[0].tolist())
    answer = {"texts": TEXTS, "logits": logits, "changed": changed}
    (folder / "by_5.json").write_text(json.dumps(answer), encoding="utf-8")


def walked(model_type: str, folder: Path) -> None:
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    known = CONFIG_MAPPING[model_type]().to_dict()
    known = {**known, **known.get("text_config", {})}
    changed = changes(known)
    if model_type in LAYERED:
        plain, other = dict(PLAIN), {"rope_type": "default", "rope_theta": 99.0}
        changed["rope_parameters"] = {"full_attention": plain, "sliding_attention": other}
    write(model_type, folder / model_type, in_place(model_type, changed))
    if "num_experts_per_tok" in changed:
        write(model_type, folder / f"{model_type}-one-expert", {**changed, "num_experts_per_tok": 1})
    for variant, rope in variants(model_type) if changed.get("rope_parameters") else ():
        own = {"full_attention": rope} if model_type in LAYERED else rope
        scaled = {**changed, "rope_parameters": {**changed["rope_parameters"], **own}}
        write(model_type, folder / f"{model_type}-{variant}", in_place(model_type, scaled))


def variants(model_type: str) -> list[tuple[str, dict[str, Any]]]:
    """Phi 3 takes longrope only, with one factor for each angle: a quarter of a head of 16 has 2 angles."""
    if model_type != "phi3":
        return list(VARIANTS.items())
    long = {"rope_type": "longrope", "rope_theta": 777.0, "short_factor": [1.0, 1.5], "long_factor": [2.0, 3.0],
            "original_max_position_embeddings": 16}  # fmt: skip
    return [("longrope", long)]


def in_place(model_type: str, changed: dict[str, Any]) -> dict[str, Any]:
    """Gemma 3 keeps the settings of its text model in text_config."""
    if model_type != "gemma3":
        return dict(json.loads(json.dumps(changed)))
    text = {name: size for name, size in SMALL.items() if not name.startswith(("encoder", "decoder"))}
    vocabulary = len(tokenizer())
    return {"text_config": {**text, "vocab_size": vocabulary, **json.loads(json.dumps(changed)), "sliding_window": 7},
            "vision_config": {"image_size": 28, "patch_size": 14, **text}}  # fmt: skip


if __name__ == "__main__":
    for each in sys.argv[2:]:
        walked(each, Path(sys.argv[1]))

"""What becomes of every type the exporter knows. A type that unexpectedly works, or fails, makes the walk fail."""

from dataclasses import dataclass

PLAIN = ("input_ids", "attention_mask")
TYPED = (*PLAIN, "token_type_ids")


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """`code` 0 is served; else the exit code and what its sentence must hold. `single`: with MAX_BATCH_SIZE 1 only."""

    inputs: tuple[str, ...] = ()
    code: int = 0
    sentence: str = ""
    note: str = ""
    single: bool = False


def _no_fast(sentence: str, note: str = "its tokenizer has no fast form") -> Outcome:
    return Outcome(code=3, sentence=sentence, note=note)


_NOT_FROM_TEXT = Outcome(code=4, sentence="reads more than text", note="reads more than text")
_PADDED = "padding changes the answers of its PyTorch model, too"
OUTCOMES = {
    **dict.fromkeys(("albert", "bert", "electra", "megatron-bert", "rembert", "squeezebert"), Outcome(inputs=TYPED)),
    **dict.fromkeys(
        (
            "bart", "big_bird", "bigbird_pegasus", "camembert", "data2vec-text", "distilbert", "ibert", "mbart",
            "modernbert", "mpnet", "roberta", "xlm-roberta",
        ),
        Outcome(inputs=PLAIN),
    ),
    **dict.fromkeys(
        (
            "bloom", "gemma", "gemma2", "gemma3", "gpt_neox", "llama", "mistral", "mpt", "opt", "phi", "phi3", "qwen2",
            "qwen3", "qwen3_moe", "smollm3",
        ),
        Outcome(inputs=PLAIN, note="decoder"),
    ),
    **dict.fromkeys(
        ("gpt2", "gpt_bigcode", "gpt_neo", "gptj"),
        Outcome(inputs=PLAIN, note="decoder; takes token_type_ids as well where its tokenizer gives them"),
    ),
    **dict.fromkeys(
        ("deberta", "deberta-v2"),
        Outcome(inputs=PLAIN, note="v3 is deberta-v2; takes token_type_ids as well with type_vocab_size above 0"),
    ),
    "convbert": Outcome(inputs=TYPED, single=True, note=_PADDED),
    "mobilebert": Outcome(inputs=TYPED, single=True, note=f"{_PADDED}, unless [PAD] has embedding 0"),
    "nystromformer": Outcome(inputs=TYPED, single=True, note=_PADDED),
    "esm": _no_fast("EsmTokenizer has no fast form"),
    "perceiver": _no_fast("PerceiverTokenizer has no fast form"),
    "flaubert": _no_fast("no tokenizer can be loaded"),
    "xlm": _no_fast("no tokenizer can be loaded"),
    "roformer": _no_fast("rjieba", "its tokenizer splits words by rjieba, which no tokenizer.json can hold"),
    "longformer": Outcome(code=4, sentence="fails in ONNX Runtime", note="its exported graph fails in ONNX Runtime"),
    **dict.fromkeys(("layoutlm", "layoutlmv3", "lilt", "markuplm"), _NOT_FROM_TEXT),
}  # fmt: skip

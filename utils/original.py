"""The original, transformers on PyTorch: loading it, its limits, and its answers, the truth of every later stage."""

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from utils.corpus import GOLDEN_TEXTS
from utils.errors import SourceError
from utils.tasks import Task

# transformers writes 1e30 for "no limit".
UNLIMITED = 1_000_000


def load_config(folder: Path) -> Any:
    """The model's config as transformers reads it; SourceError for a type it does not know."""
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        raise SourceError(f"transformers cannot read {str(folder / 'config.json')!r}: {reason}") from error


def load_model(folder: Path, config: Any, task: Task) -> Any:
    """The original in FP32, evaluation mode; SourceError for a checkpoint without the head (it would be random)."""
    import torch
    import transformers

    auto_class = getattr(transformers, task.auto_class)
    try:
        model, loading = auto_class.from_pretrained(
            folder, config=config, dtype=torch.float32, output_loading_info=True, local_files_only=True
        )
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        raise SourceError(f"the model in {str(folder)!r} cannot be loaded: {reason}") from error
    missing = [*loading["missing_keys"], *(str(key[0]) for key in loading.get("mismatched_keys", ()))]
    if missing:
        raise SourceError(
            f"the checkpoint in {str(folder)!r} lacks {', '.join(sorted(missing)[:4])} for {type(model).__name__}; "
            f"give a model fine-tuned for {task.name}"
        )
    return model.eval()


def prepare_padding(tokenizer: Any, max_batch_size: int) -> None:
    """Texts of different lengths share a batch only when there is a token to pad with; SourceError without one.

    Padding always goes to the right, whatever the tokenizer says (decoders' often say left, for generation): every
    token keeps the position it has when its text is asked alone, and the heads find the last token by the pad id.
    """
    if tokenizer.pad_token is None and max_batch_size > 1:
        raise SourceError(
            f"the tokenizer {type(tokenizer).__name__} has no pad token, so texts cannot be batched; "
            "set tokenizer.pad_token and save it again, or build with MAX_BATCH_SIZE 1"
        )
    tokenizer.padding_side = "right"


def settle_pad_id(model: Any, tokenizer: Any) -> None:
    """Decoders find a text's last token by the config's pad id: for the export it is the one texts are padded with.

    Called when the original has answered, so that nothing is set for it. Without any pad token the id is one that no
    token has: the last token of all, which is what such a decoder takes, and an export of more than one row.
    """
    config = model.config.get_text_config()
    if tokenizer.pad_token is not None:
        config.pad_token_id = tokenizer.pad_token_id
    elif config.pad_token_id is None:
        config.pad_token_id = -1


def token_limit(tokenizer: Any, model: Any, wanted: int | None) -> int | None:
    """The most tokens a text may have: the tokenizer's limit, the model's positions, and what was asked for."""
    limits = [tokenizer.model_max_length] if tokenizer.model_max_length < UNLIMITED else []
    positions = _positions(model)
    limits += [positions] if positions else []
    limit = min(limits) if limits else None
    if wanted is not None and limit is not None and wanted > limit:
        raise SourceError(f"--max-length {wanted} is above what the model takes ({limit} tokens); give at most {limit}")
    return wanted or limit


def _positions(model: Any) -> int | None:
    """Positions a text can fill; RoBERTa's kin lose the first ones to padding (514 positions are 512 tokens)."""
    import torch

    for name, module in model.named_modules():
        weight = getattr(module, "weight", None)  # not every table is an nn.Embedding: I-BERT has its own class
        if name.rsplit(".", 1)[-1] in ("position_embeddings", "wpe") and isinstance(weight, torch.Tensor):
            padding = getattr(module, "padding_idx", None)
            return int(weight.shape[0]) - (0 if padding is None else padding + 1)
    limit = getattr(model.config, "max_position_embeddings", None)
    return limit if isinstance(limit, int) and limit > 0 else None


def original_arrays(tokenizer: Any, texts: list[str], max_length: int | None) -> Any:
    """What transformers' own tokenizer gives for `texts`: numpy arrays [B, tokens] by name."""
    truncation = {"truncation": True, "max_length": max_length} if max_length is not None else {}
    padding = tokenizer.pad_token is not None
    return tokenizer(texts, padding=padding, return_tensors="np", **truncation)


def pytorch_logits(
    model: Any, tokenizer: Any, texts: tuple[str, ...], max_length: int | None, *, without: tuple[str, ...] = ()
) -> list[list[float]]:
    """The original's logits, each text alone, so that no padding has any part in them: [texts][labels].

    The model gets all that its tokenizer gives and it takes, as in transformers' text-classification pipeline, but for
    the names in `without`. SourceError when PyTorch itself cannot answer a text.
    """
    import torch

    # A tokenizer may give more than its model takes: BERT's gives token_type_ids, DistilBERT has none.
    taken = set(inspect.signature(model.forward).parameters) - set(without)
    rows = []
    with torch.inference_mode():
        for text in texts:
            arrays = original_arrays(tokenizer, [text], max_length)
            inputs = {name: torch.from_numpy(array) for name, array in arrays.items() if name in taken}
            try:
                rows.append(model(**inputs).logits[0].float().tolist())
            except Exception as error:  # an id above the vocabulary, a missing end token: whatever torch raises
                reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
                raise SourceError(
                    f"PyTorch itself cannot answer {text[:60]!r} with this model and tokenizer ({reason}); "
                    "give the tokenizer that the model was fine-tuned with"
                ) from error
    return rows


def heeds_type_ids(model: Any, tokenizer: Any, max_length: int | None) -> bool:
    """Do token_type_ids change the answer? GPT-2's kin, which have none, add the embedding of token 0 for them."""
    texts = GOLDEN_TEXTS[:2]
    both = [pytorch_logits(model, tokenizer, texts, max_length, without=names) for names in ((), ("token_type_ids",))]
    return both[0] != both[1]


def answerable(tokenizer: Any) -> tuple[str, ...]:
    """Golden texts of at least one token: some tokenizers add no special tokens, and no model runs on an empty text."""
    return tuple(text for text in GOLDEN_TEXTS if len(tokenizer(text)["input_ids"]) > 0)


# Scores by torch itself, not by the code that will serve: two independent ways to one number.
def pytorch_scores(logits: list[list[float]], score_function: str) -> tuple[tuple[float, ...], ...]:
    """Logits [texts][labels] to scores of the same shape."""
    import torch

    functions: Mapping[str, Any] = {
        "softmax": lambda rows: torch.softmax(rows, dim=-1),
        "sigmoid": torch.sigmoid,
        "none": lambda rows: rows,
    }
    scores = functions[score_function](torch.tensor(logits, dtype=torch.float32))
    return tuple(tuple(row) for row in scores.tolist())

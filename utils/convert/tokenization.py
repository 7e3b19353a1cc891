"""Freezes a tokenizer into one tokenizer.json and the settings that the served image applies."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from utils.convert.probes import UNKNOWN, first_difference, paired, probe_texts
from utils.convert.reference_model import UNLIMITED, has_tokens, runs_version_5, tokenizer_arrays
from utils.convert.types import FrozenTokenizer, Settings, Text
from utils.host import exceptions
from utils.host.errors import ParityError, SourceError
from utils.repository.corpus import TOKENIZER_TEXTS
from utils.repository.served_code import load_shared
from utils.sources.whole_numbers import whole


def load_tokenizer(folder: Path, model_config: Any) -> Any:
    """The fast tokenizer of a folder, as transformers loads it. SourceError (exit 3) if there is none."""
    from transformers import AutoTokenizer

    try:
        with exceptions.panics_raised():
            tokenizer = AutoTokenizer.from_pretrained(
                folder, config=model_config, use_fast=True, local_files_only=True, **_settings_for_4(folder)
            )
    except Exception as error:  # transformers raises any type
        tokenizer = _from_file(folder, error)
    limit = whole(tokenizer.model_max_length, folder / "tokenizer_config.json", "model_max_length")
    tokenizer.model_max_length = UNLIMITED if limit is None else limit
    if not tokenizer.is_fast:
        raise SourceError(
            f"the tokenizer {type(tokenizer).__name__} has no fast form, and the image serves tokenizer.json only; "
            "use a model type whose tokenizer has one"
        )
    fault = f"the tokenizer {type(tokenizer).__name__} cannot tokenize plain text"
    # A document tokenizer needs boxes; some lack the unknown token.
    with exceptions.explained(SourceError, lambda reason: f"{fault}: {reason}"):
        tokenizer(["one text", UNKNOWN])
    return tokenizer


def _from_file(folder: Path, error: Exception) -> Any:
    """The tokenizer of tokenizer.json alone, for a tokenizer class that this transformers lacks."""
    from transformers import PreTrainedTokenizerFast

    file = folder / "tokenizer.json"
    if not file.is_file():
        raise SourceError(
            f"no tokenizer can be loaded from {str(folder)!r}: {exceptions.brief(error)}; "
            "the image serves tokenizer.json, so give a tokenizer that has a fast form"
        ) from error
    fault = f"{str(file)!r} is not a tokenizer file"
    with exceptions.explained(SourceError, lambda reason: f"{fault}: {reason}; save the tokenizer again"):
        return PreTrainedTokenizerFast.from_pretrained(folder, local_files_only=True, **_settings_for_4(folder))


def _settings_for_4(folder: Path) -> dict[str, Any]:
    """Settings that transformers 5 writes differently, in the form of version 4.

    extra_special_tokens is the list that version 4 calls additional_special_tokens, and the generic class is
    TokenizersBackend, which gives no token_type_ids unless model_input_names says so (4's generic class does).
    """
    if runs_version_5():
        return {}
    file = folder / "tokenizer_config.json"
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}  # transformers reports it
    settings: dict[str, Any] = {}
    if isinstance(config, dict) and isinstance(config.get("extra_special_tokens"), list):
        settings.update(extra_special_tokens={}, additional_special_tokens=config["extra_special_tokens"])
    if isinstance(config, dict) and config.get("tokenizer_class") == "TokenizersBackend":
        settings["model_input_names"] = config.get("model_input_names") or ["input_ids", "attention_mask"]
    return settings


def lower_case(tokenizer: Any) -> None:
    """Lower-cases texts before the tokenizer's own normalization, as do_lower_case of sentence-transformers does."""
    from tokenizers import normalizers

    backend = tokenizer.backend_tokenizer
    own = [backend.normalizer] if backend.normalizer else []
    backend.normalizer = normalizers.Sequence([normalizers.Lowercase(), *own])


def freeze(tokenizer: Any, destination: Path, *, max_length: int | None, length: int | None = None) -> FrozenTokenizer:
    """Writes `destination`/tokenizer.json; truncation and padding go into the settings, not into the file.

    Every text is padded to `length`, or to the longest of its batch.
    """
    destination.mkdir(parents=True, exist_ok=True)
    file = destination / "tokenizer.json"
    tokenizer.backend_tokenizer.save(str(file))
    if "token_type_ids" not in tokenizer.model_input_names:
        _leave_out_types(file)
    padding = None
    if tokenizer.pad_token is not None:
        padding = {
            "id": tokenizer.pad_token_id,
            "type_id": tokenizer.pad_token_type_id,
            "token": tokenizer.pad_token,
            "side": tokenizer.padding_side,
            **({"length": length} if length else {}),
        }
    settings = {
        "max_length": max_length,
        "truncation_side": tokenizer.truncation_side,
        "padding": padding,
        "cls_id": tokenizer.cls_token_id,
        "unk_id": tokenizer.unk_token_id,
    }
    if getattr(tokenizer, "split_special_tokens", False):  # no tokenizer.json can say that
        settings["split_special_tokens"] = True
    return FrozenTokenizer(file=file, settings=settings)


def with_prompts(frozen: FrozenTokenizer, tokenizer: Any, settings: Settings) -> FrozenTokenizer:
    """The settings with `prompts` and `default_prompt` of a task's settings, as request_choices.py reads them."""
    limit = frozen.settings["max_length"]
    prompts = {
        name: {
            "text": text,
            "tokens": 0 if settings.get("include_prompt", True) else prompt_tokens(tokenizer, text, limit),
        }
        for name, text in settings["prompts"].items()
    }
    own = {"prompts": prompts, "default_prompt": settings["default_prompt"]}
    return FrozenTokenizer(file=frozen.file, settings={**frozen.settings, **own})


def prompt_tokens(tokenizer: Any, prompt: str, limit: int | None) -> int:
    """As sentence-transformers counts them: those of the prompt alone, without a special token at their end."""
    if not prompt:
        return 0
    ids = tokenizer_arrays(tokenizer, [prompt], limit)["input_ids"][0].tolist()
    return len(ids) - (ids[-1] in tokenizer.all_special_ids)


def _leave_out_types(file: Path) -> None:
    """Makes the file give type 0 for the second text of a pair, too: a model without token_type_ids uses zeros."""
    content = json.loads(file.read_text(encoding="utf-8"))
    processor = content.get("post_processor") or {}
    if processor.get("type") == "BertProcessing":  # it always gives ones
        processor = content["post_processor"] = _as_template(processor["cls"], processor["sep"])
    for each in (processor, *processor.get("processors", ())):
        for part in (*(each.get("single") or ()), *(each.get("pair") or ())):
            if isinstance(part, dict):
                next(iter(part.values()))["type_id"] = 0
    file.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")


def _as_template(cls: tuple[str, int], sep: tuple[str, int]) -> dict[str, Any]:
    """BertProcessing as a TemplateProcessing, whose type ids can be set."""
    first, last = ({"SpecialToken": {"id": token, "type_id": 0}} for token, _ in (cls, sep))
    texts = [{"Sequence": {"id": name, "type_id": 0}} for name in "AB"]
    tokens = {token: {"id": token, "ids": [number], "tokens": [token]} for token, number in (cls, sep)}
    return {
        "type": "TemplateProcessing",
        "single": [first, texts[0], last],
        "pair": [first, texts[0], last, texts[1], last],
        "special_tokens": tokens,
    }


# Texts that share a batch, and the arrays that transformers' tokenizer gives for them.
TokenBatch = tuple[tuple[Text, ...], Mapping[str, Any]]


def check_parity(frozen: FrozenTokenizer, tokenizer: Any, names: tuple[str, ...], *, pairs: bool = False) -> int:
    """Compares the served tokenization with transformers' on the corpus and the tokenizer's own tokens.

    Compares each tensor in `names`, for pairs of texts where `pairs`, on the probes of this tokenizer, too
    (utils/convert/probes.py); returns the number of texts; ParityError (exit 5) shows the first difference.
    """
    batches = token_batches(frozen, tokenizer, names, pairs=pairs)

    def place(batch: TokenBatch, name: str, mine: Any, theirs: Any) -> str:
        return first_difference(tokenizer, list(batch[0]), name, mine, theirs)

    compare_batches(frozen, batches, names, type(tokenizer).__name__, place)
    return sum(len(texts) == 1 for texts, _ in batches)


def token_batches(
    frozen: FrozenTokenizer, tokenizer: Any, names: tuple[str, ...], *, pairs: bool = False
) -> list[TokenBatch]:
    """What transformers' tokenizer gives for every text that is compared: alone, then in batches if it pads."""
    corpus = (*TOKENIZER_TEXTS, *probe_texts(tokenizer, frozen.settings["max_length"]))
    candidates: Sequence[Text] = paired(corpus) if pairs else corpus
    texts = [text for text in candidates if has_tokens(tokenizer, [text])]  # the server refuses the others
    length = (frozen.settings["padding"] or {}).get("length")
    batches = [[text] for text in texts]
    if frozen.settings["padding"] is not None:
        batches += [texts[start : start + 5] for start in range(0, len(texts), 5)]
    arrays = (tokenizer_arrays(tokenizer, batch, frozen.settings["max_length"], length=length) for batch in batches)
    return [
        (tuple(batch), {name: each[name] for name in names if name in each})
        for batch, each in zip(batches, arrays, strict=True)
    ]


def compare_batches(
    frozen: FrozenTokenizer,
    batches: Sequence[TokenBatch],
    names: tuple[str, ...],
    other: str,
    place: Callable[[TokenBatch, str, Any, Any], str],
) -> None:
    """ParityError (5) where the served tokenization, by this process's tokenizers, gives other arrays than `other`."""
    served = load_shared("tokenization")
    fast = served.load_tokenizer(frozen.file, frozen.settings)
    for batch in batches:
        texts, expected = batch
        arrays = served.encode(fast, list(texts), dict.fromkeys(names, "int64"))
        for name in set(names) & (set(expected) | {"token_type_ids"}):
            reference = expected.get(name, 0 * arrays[name])  # models use zeros if the tokenizer gives no types
            if arrays[name].shape != reference.shape or (arrays[name] != reference).any():
                raise ParityError(
                    f"the frozen tokenizer gives other {name} than {other} for "
                    f"{place(batch, name, arrays[name], reference)}; nothing was built"
                )

"""The reference model, transformers on PyTorch: how it is loaded, its limits and its answers."""

import copy
import inspect
import json
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from utils.convert.task import ModelTask
from utils.convert.types import ReferenceModel, Text
from utils.host.errors import FactoryError, ParityError, SourceError
from utils.host.exceptions import brief, explained
from utils.host.json_file import read_json_object
from utils.sources.checkpoint import PICKLED, SAFE, Checkpoint, check_names
from utils.sources.config_of_version_5 import ATTENTION, for_version_4
from utils.sources.whole_numbers import corrected

# transformers writes 1e30 for "no limit".
UNLIMITED = 1_000_000
# Parts of a model that process no text; transformers 5 uses other names for their weights.
OF_PICTURES = ("vision_tower",)


def runs_version_5() -> bool:
    """Whether this process has transformers 5, which the exporter `dynamo` runs with."""
    import transformers

    return str(transformers.__version__).startswith("5.")


def load_config(folder: Path) -> Any:
    """The model's config. The format of version 5 is translated where transformers 4 reads it.

    SourceError for an unknown model type, and for a setting that cannot be translated.
    """
    from transformers import CONFIG_MAPPING, AutoConfig

    file = folder / "config.json"
    content = read_json_object(file, "save the model again")
    kind = content.get("model_type")
    known = CONFIG_MAPPING[kind] if kind in CONFIG_MAPPING else None  # noqa: SIM401 - its get() does not import lazily
    translated = content if runs_version_5() else for_version_4(content, str(file))
    mended = corrected(translated, file, known) if known else content
    with explained(SourceError, lambda reason: f"transformers cannot read {str(file)!r}: {reason}"):
        if known and json.dumps(mended) != json.dumps(content):
            config = known.from_dict(mended)
        else:
            config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    if not runs_version_5() and str(content.get("transformers_version", "4")).partition(".")[0] != "4":
        config._attn_implementation = ATTENTION.get(config.model_type)
    return config


def load_model(folder: Path, config: Any, task: ModelTask, *, from_elsewhere: Collection[str] = ()) -> Any:
    """The model in FP32, evaluation mode; SourceError if the head's weights are missing (they would be random).

    The tensors `from_elsewhere`, an adapter's, may be missing or have another size.
    """
    import torch
    import transformers

    auto_class = getattr(transformers, task.auto_class)
    with explained(SourceError, lambda reason: f"the model in {str(folder)!r} cannot be loaded: {reason}"):
        model, loading = auto_class.from_pretrained(
            folder,
            config=config,
            dtype=torch.float32,
            output_loading_info=True,
            local_files_only=True,
            trust_remote_code=False,
            ignore_mismatched_sizes=bool(from_elsewhere),
        )
    if loading["missing_keys"] and loading["unexpected_keys"]:  # the names in a pickle are known only now
        found = dict.fromkeys(sorted(loading["unexpected_keys"]))
        source = next((folder / name for name in (SAFE, PICKLED) if (folder / name).exists()), folder)
        check_names(Checkpoint(source=source, shapes=found))
    missing = [*loading["missing_keys"], *loading["mismatched_keys"]]
    missing = [name for name in missing if not set(name.split(".")) & {*task.unneeded, *OF_PICTURES}]
    missing = sorted({*missing} - {*from_elsewhere})
    if missing:
        raise SourceError(
            f"the checkpoint in {str(folder)!r} lacks {', '.join(missing[:4])} for {type(model).__name__}; "
            f"give a model fine-tuned for {task.name}"
        )
    return model.eval()


def prepare_padding(tokenizer: Any, max_batch_size: int, sequence_length: int | None = None) -> None:
    """Sets padding to the right; SourceError if texts must be padded and there is no pad token.

    Padding always goes to the right, whatever the tokenizer says (decoders' often say left, for generation): every
    token keeps the position it has when its text is alone, and the heads find the last token by the pad id.
    """
    if tokenizer.pad_token is None and max_batch_size > 1:
        raise SourceError(
            f"the tokenizer {type(tokenizer).__name__} has no pad token, so texts cannot be batched; "
            "set tokenizer.pad_token and save it again, or build with MAX_BATCH_SIZE 1"
        )
    if tokenizer.pad_token is None and sequence_length is not None:
        raise SourceError(
            f"the tokenizer {type(tokenizer).__name__} has no pad token, so no text can be padded to --sequence-length "
            f"{sequence_length}; set tokenizer.pad_token and save it again, or leave the option out"
        )
    tokenizer.padding_side = "right"


def set_pad_token(tokenizer: Any, config: Any) -> None:
    """Makes the token of the config's pad id the pad token, if there is one: decoders find the last token by it."""
    pad_id = config.get_text_config().pad_token_id
    if tokenizer.pad_token is None or not isinstance(pad_id, int) or not 0 <= pad_id < len(tokenizer):
        return
    token = tokenizer.convert_ids_to_tokens(pad_id)
    if token is not None and pad_id != tokenizer.pad_token_id:
        tokenizer.pad_token = token


def with_pad_id(reference: ReferenceModel, *, padded: bool) -> ReferenceModel:
    """The model to export, with the tokenizer's pad id in its config: decoders find a text's last token by it.

    `reference` keeps its own config; the weights are shared. If no text is `padded`, a missing id becomes -1, and such
    a decoder reads the last token of all. ParityError (exit 5) if the pad id changes the answer to a text that
    contains the pad token.
    """
    config, tokenizer = reference.model.config.get_text_config(), reference.tokenizer
    if not padded or tokenizer.pad_token is None:
        return reference if config.pad_token_id is not None else _with_config(reference, pad_token_id=-1)
    if config.pad_token_id == tokenizer.pad_token_id:
        return reference
    changed = _with_config(reference, pad_token_id=tokenizer.pad_token_id)
    token = tokenizer.pad_token
    texts = tuple(text for text in (f"rain and sun {token}", f"{token} rain{token}") if has_tokens(tokenizer, [text]))
    if _differ(outputs_of(reference, texts), outputs_of(changed, texts)):
        raise ParityError(
            f"the model's config.json has pad_token_id {config.pad_token_id}, texts would be padded with {token!r} "
            f"({tokenizer.pad_token_id}), and a text that ends with {token!r} would get another answer than from "
            "PyTorch: build with MAX_BATCH_SIZE 1, or save the model with the pad_token_id it was trained with"
        )
    return changed


def _with_config(reference: ReferenceModel, *, pad_token_id: int) -> ReferenceModel:
    model = copy.copy(reference.model)  # the weights are not copied
    model.config = copy.deepcopy(model.config)
    model.config.get_text_config().pad_token_id = pad_token_id
    return replace(reference, model=model)


def token_limit(tokenizer: Any, model: Any, requested: int | None) -> int | None:
    """The token limit of a text: `requested`, or the smaller of the tokenizer's limit and the model's positions."""
    limits = [tokenizer.model_max_length] if tokenizer.model_max_length < UNLIMITED else []
    positions = _positions(model)
    limits += [positions] if positions else []
    limit = min(limits) if limits else None
    if requested is not None and limit is not None and requested > limit:
        raise SourceError(
            f"{requested} tokens exceed the model's limit; set --max-length or --sequence-length to at most {limit}"
        )
    return requested or limit


def _positions(model: Any) -> int | None:
    """Positions for tokens; in RoBERTa and its variants the first ones are for padding (514 positions: 512 tokens)."""
    import torch

    for name, module in model.named_modules():
        weight = getattr(module, "weight", None)  # not always an nn.Embedding: I-BERT has its own class
        if name.rsplit(".", 1)[-1] in ("position_embeddings", "wpe") and isinstance(weight, torch.Tensor):
            padding = getattr(module, "padding_idx", None)
            return int(weight.shape[0]) - (0 if padding is None else padding + 1)
    limit = getattr(model.config, "max_position_embeddings", None)
    return limit if isinstance(limit, int) and limit > 0 else None


def tokenizer_arrays(
    tokenizer: Any, texts: Sequence[Text], max_length: int | None, *, length: int | None = None
) -> Any:
    """The arrays [B, tokens] of transformers' own tokenizer for texts or pairs of texts, by name.

    Padded to the longest text, or to `length`, which is then the limit, too.
    """
    truncation = {"truncation": True, "max_length": max_length} if max_length is not None else {}
    padding = "max_length" if length else tokenizer.pad_token is not None
    columns = [list(column) for column in zip(*(_columns(text) for text in texts), strict=True)]
    return tokenizer(*columns, padding=padding, return_tensors="np", **truncation)


def _columns(text: Text) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else text


def pytorch_outputs(
    model: Any,
    tokenizer: Any,
    texts: Sequence[Text],
    max_length: int | None,
    *,
    names: tuple[str, ...],
    without: tuple[str, ...] = (),
) -> list[dict[str, Any]]:
    """The model's outputs `names` for each text alone, so without any padding: FP32 arrays, no batch dimension.

    The model gets every tokenizer output that it accepts, as in transformers' pipelines, except the names in
    `without`. SourceError if PyTorch itself fails on a text.
    """
    import torch

    # A tokenizer may give more than its model accepts: BERT's gives token_type_ids, DistilBERT has none.
    accepted = set(inspect.signature(model.forward).parameters) - set(without)
    rows = []
    with torch.inference_mode():
        for text in texts:
            arrays = tokenizer_arrays(tokenizer, [text], max_length)
            inputs = {name: torch.from_numpy(array) for name, array in arrays.items() if name in accepted}
            try:
                outputs = model(**inputs)
                rows.append({name: getattr(outputs, name)[0].float().numpy() for name in names})
            except FactoryError:  # raised by a graph that replaces the model
                raise
            except Exception as error:  # an id above the vocabulary, a missing end token: torch raises any type
                raise SourceError(
                    f"PyTorch fails on {text[:60]!r} with this model and tokenizer ({brief(error, named=True)}); "
                    "give the tokenizer that the model was fine-tuned with"
                ) from error
    return rows


def uses_type_ids(reference: ReferenceModel) -> bool:
    """Whether token_type_ids change the answer. GPT-2 and its variants add the embedding of token 0 for them."""
    texts = reference.texts[:2]
    return _differ(outputs_of(reference, texts), outputs_of(reference, texts, without=("token_type_ids",)))


def outputs_of(
    reference: ReferenceModel, texts: Sequence[Text], *, model: Any = None, without: tuple[str, ...] = ()
) -> list[dict[str, Any]]:
    """See `pytorch_outputs`: the outputs that `reference` has for its own texts, of `model` or its own model."""
    names, model = tuple(reference.outputs[0]), reference.model if model is None else model
    return pytorch_outputs(model, reference.tokenizer, texts, reference.max_length, names=names, without=without)


def _differ(some: Sequence[dict[str, Any]], others: Sequence[dict[str, Any]]) -> bool:
    return any((one[name] != other[name]).any() for one, other in zip(some, others, strict=True) for name in one)


def has_tokens(tokenizer: Any, texts: Sequence[Text]) -> bool:
    """Whether each text has a token: some tokenizers add no special tokens, and no model runs on an empty text."""
    return all(len(tokenizer(*_columns(text))["input_ids"]) > 0 for text in texts)

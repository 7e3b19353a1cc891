"""Reads a model's config.json, before torch is imported or weights are fetched."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from utils.host.errors import SourceError
from utils.host.json_file import exists, read_json
from utils.sources.setfit_head import SetFit
from utils.sources.supported_types import ONLY_VERSION_5
from utils.sources.whole_numbers import whole
from utils.targets.exporters import OPTIMUM

# How logits become scores, by the problem type, for a head with several outputs. Source: transformers'
# text-classification pipeline (utils/tasks/text_classification.py has its rule for one output).
SCORE_FUNCTIONS = {
    "single_label_classification": "softmax",
    "multi_label_classification": "sigmoid",
    "regression": "none",
}
SAVED = "pass the folder that save_pretrained() wrote"
# If this file exists, transformers loads the adapter that it describes.
ADAPTER = "adapter_config.json"
# The first positions of these types belong to padding: 514 positions are 512 tokens.
LOSE_POSITIONS = {"camembert", "roberta", "xlm-roberta"}
# Types with learned position embeddings, which limit the length of texts. Other limits are known after loading.
ABSOLUTE_POSITIONS = {"albert", "bert", "distilbert", "electra", *LOSE_POSITIONS}
# The largest head: more labels than any classifier has.
LARGEST_HEAD = 1_000_000


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """The parts of config.json that a build depends on. None: not in config.json, or not certain.

    `names_problem` False: config.json has no problem_type, and `problem_type` is the default of transformers' loss.
    `exporter`: the row of targets/exporters.py that converts the model.
    `setfit`: of a SetFit folder, whose head size and problem type are those of its own head.
    """

    file: Path
    model_type: str
    head_size: int
    problem_type: str
    names_problem: bool = True
    architectures: tuple[str, ...] = ()
    vocab_size: int | None = None
    longest_text: int | None = None
    exporter: str = OPTIMUM
    setfit: SetFit | None = None


def read_model_config(folder: Path) -> ModelConfig:
    """Reads `folder`/config.json; SourceError (exit 3) when it is missing or its model cannot be served."""
    file = folder / "config.json"
    if not folder.is_dir():
        raise SourceError(f"MODEL {str(folder)!r} is not a folder; {SAVED}")
    _refuse_adapter(folder)
    if not exists(file):
        raise SourceError(f"MODEL {str(folder)!r} has no config.json; {SAVED}")
    content = read_json(file, "save the model again")
    if not isinstance(content, dict) or not isinstance(content.get("model_type"), str):
        raise SourceError(f"{str(file)!r} has no model_type; save the model again with save_pretrained()")
    _refuse_special_forms(content, file)
    head_size = _head_size(content, file)
    return ModelConfig(
        file=file,
        model_type=content["model_type"],
        head_size=head_size,
        problem_type=_problem_type(content.get("problem_type"), head_size, file),
        names_problem=content.get("problem_type") is not None,
        architectures=_texts(content.get("architectures")),
        vocab_size=_positive(content, file, "vocab_size"),
        longest_text=_longest_text(content, file),
    )


def _refuse_adapter(folder: Path) -> None:
    """With peft installed, transformers loads the adapter, even beside whole weights; without peft, only the base.

    sentence-transformers before 2.0 keeps the model in 0_Transformer.
    """
    files = [folder / ADAPTER, *sorted(folder.glob(f"*_Transformer/{ADAPTER}"))]
    file = next((file for file in files if exists(file)), None)
    if file:
        beside = " beside the weights of a model" if exists(file.parent / "config.json") else ""
        raise SourceError(
            f"MODEL {str(folder)!r} has {str(file.relative_to(folder))!r}, the adapter of a PEFT fine-tuning{beside}; "
            "merge it into its base model (merge_and_unload()) and save the result to a folder without the adapter's "
            "files"
        )


def _refuse_special_forms(content: dict[str, Any], file: Path) -> None:
    # The class of transformers 5 is what became of the code that such a checkpoint names. Where transformers 4 has the
    # type, too, the code is for something else: a decoder without its causal mask, say.
    if content.get("auto_map") and content.get("model_type") not in ONLY_VERSION_5:
        raise SourceError(
            f"{str(file)!r} needs custom code of the model (auto_map); this factory runs no custom code "
            "(no trust_remote_code); use a model type of transformers"
        )
    if quantized := content.get("quantization_config"):
        method = quantized.get("quant_method") if isinstance(quantized, dict) else None
        raise SourceError(
            f"{str(file)!r} describes quantized weights ({method or 'quantization_config'}), which cannot be exported; "
            "use the model before quantization"
        )


def _head_size(content: dict[str, Any], file: Path) -> int:
    """As in transformers: the length of id2label, else num_labels, else 2."""
    id2label = content.get("id2label")
    if id2label is not None:
        # transformers converts each key to a number, and counts 0 labels in an empty map.
        if not isinstance(id2label, dict) or not id2label:
            raise SourceError(f"{str(file)!r} has an id2label without labels; add one label per output, or remove it")
        odd = next((key for key in id2label if not re.fullmatch(r"\s*[+-]?[0-9]+\s*", key, re.ASCII)), None)
        if odd is not None:
            raise SourceError(f"{str(file)!r} has the key {odd!r} in id2label; keys must be numbers: 0, 1, 2")
        return len(id2label)
    count = content.get("num_labels", content.get("_num_labels", 2))
    count = int(count) if isinstance(count, float) and count.is_integer() else count
    if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= LARGEST_HEAD:
        raise SourceError(f"{str(file)!r} has num_labels {count!r}; it must be a whole number from 1 to {LARGEST_HEAD}")
    return count


def _problem_type(value: object, head_size: int, file: Path) -> str:
    if value is None:
        return "regression" if head_size == 1 else "single_label_classification"
    if not isinstance(value, str) or value not in SCORE_FUNCTIONS:
        raise SourceError(f"{str(file)!r} has problem_type {value!r}; allowed are {', '.join(SCORE_FUNCTIONS)}")
    return value


def _positive(content: dict[str, Any], file: Path, key: str) -> int | None:
    value = content.get(key)
    number = whole(value, file, key) if isinstance(value, float | str) else value
    return number if isinstance(number, int) and not isinstance(number, bool) and number > 0 else None


def _texts(value: object) -> tuple[str, ...]:
    return tuple(each for each in value if isinstance(each, str)) if isinstance(value, list) else ()


def _longest_text(content: dict[str, Any], file: Path) -> int | None:
    """The largest number of tokens that the model has positions for, if certain."""
    model_type = content["model_type"].replace("_", "-")
    positions = _positive(content, file, "max_position_embeddings")
    if model_type not in ABSOLUTE_POSITIONS or positions is None:
        return None
    pad = whole(content.get("pad_token_id", 1), file, "pad_token_id")
    lost = pad + 1 if model_type in LOSE_POSITIONS and isinstance(pad, int) else 0
    return positions - lost


def check_max_length(config: ModelConfig, max_length: int | None) -> None:
    """SourceError when --max-length certainly exceeds the model's positions."""
    if max_length is not None and config.longest_text is not None and max_length > config.longest_text:
        raise SourceError(
            f"{max_length} tokens are more than the model accepts; --max-length and --sequence-length must be at most "
            f"{config.longest_text}"
        )

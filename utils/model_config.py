"""What can be told from a model folder's small files, before torch is imported or weights are fetched."""

import json
from dataclasses import dataclass
from pathlib import Path

from utils.errors import SourceError, UsageError
from utils.tasks import SCORE_FUNCTIONS


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """The parts of config.json a build decides by."""

    file: Path
    model_type: str
    head_size: int
    problem_type: str


def read_model_config(folder: Path) -> ModelConfig:
    """Reads `folder`/config.json; SourceError (exit 3) when it is missing or not a model's."""
    file = folder / "config.json"
    if not folder.is_dir():
        raise SourceError(f"MODEL {str(folder)!r} is not a folder; give the folder that save_pretrained() wrote")
    try:
        content = json.loads(file.read_bytes().decode("utf-8-sig"))
    except FileNotFoundError:
        raise SourceError(
            f"MODEL {str(folder)!r} has no config.json; give the folder that save_pretrained() wrote"
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise SourceError(f"{str(file)!r} is not readable as JSON ({error}); save the model again") from error
    if not isinstance(content, dict) or not isinstance(content.get("model_type"), str):
        raise SourceError(f"{str(file)!r} names no model_type; save the model again with save_pretrained()")
    head_size = _head_size(content, file)
    return ModelConfig(
        file=file,
        model_type=content["model_type"],
        head_size=head_size,
        problem_type=_problem_type(content.get("problem_type"), head_size, file),
    )


def _head_size(content: dict[str, object], file: Path) -> int:
    """As transformers counts: id2label if there is one, else num_labels, else 2."""
    id2label = content.get("id2label")
    if isinstance(id2label, dict) and id2label:
        return len(id2label)
    count = content.get("num_labels", content.get("_num_labels", 2))
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        raise SourceError(f"{str(file)!r} has num_labels {count!r}; it must be a whole number from 1 up")
    return count


def _problem_type(given: object, head_size: int, file: Path) -> str:
    if given is None:
        return "regression" if head_size == 1 else "single_label_classification"
    if given not in SCORE_FUNCTIONS:
        raise SourceError(f"{str(file)!r} has problem_type {given!r}; known are {', '.join(SCORE_FUNCTIONS)}")
    return str(given)


def labels_in_answer(config: ModelConfig, wanted: int | None) -> int:
    """K, the labels in an answer: --top-k, else all of them for a multi-label head and one for any other."""
    if wanted is None:
        return config.head_size if config.problem_type == "multi_label_classification" else 1
    if wanted > config.head_size:
        raise UsageError(f"--top-k {wanted} is more than the model has labels; give at most {config.head_size}")
    return wanted


def require_weights(folder: Path) -> None:
    """SourceError when the folder holds no weights this factory reads."""
    if not any(folder.glob("*.safetensors")) and not any(folder.glob("pytorch_model*.bin")):
        raise SourceError(
            f"MODEL {str(folder)!r} has no weights; model.safetensors (or its shards) must lie beside config.json"
        )

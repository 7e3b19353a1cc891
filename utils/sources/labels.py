"""Stage 3: the label map, from a JSON file or from the model's own config.json."""

import json
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from utils.host.errors import SourceError
from utils.host.progress import note
from utils.sources.known_keys.folder import unread_in_labels
from utils.sources.known_keys.judge import require_understood
from utils.sources.requirements import SourceRequirements
from utils.sources.setfit_head import SetFit

LABEL_FILES = ("id2label.json", "label2id.json", "labels.json", "config.json")
ACCEPTED = 'accepted are {"0": "a", "1": "b"}, ["a", "b"], {"a": 0, "b": 1}, or one of these under "id2label"'
INDEX = r"0|[1-9][0-9]{0,8}"
SURROGATE = re.compile("[\ud800-\udfff]")
DEFAULT_REQUIREMENTS = SourceRequirements()


@dataclass(frozen=True, kw_only=True)
class Labels:
    """One text per output of the head, in the head's order, and the file they were read from.

    `accepted`: the settings in that file left unread because of --accept-unknown.
    """

    texts: tuple[str, ...]
    source: str
    accepted: tuple[str, ...] = ()


def read_labels(path: Path, *, requirements: SourceRequirements = DEFAULT_REQUIREMENTS) -> Labels:
    """The labels in a JSON file, or in a folder's label file. SourceError (exit 3) for invalid ones."""
    file = _label_file(path) if path.is_dir() else path
    content = _read_json(file)
    accepted = require_understood(unread_in_labels(file, content), requirements.accept_unknown)
    if file.name == "config.json":
        content = _config_labels(content, file)
    texts = check_texts(_in_order(content, str(file)), str(file), requirements)
    return Labels(texts=texts, source=str(file), accepted=accepted)


def labels_of_config(
    config_file: Path, *, head_size: int, requirements: SourceRequirements = DEFAULT_REQUIREMENTS
) -> Labels:
    """The labels in a model's config.json; if it has none and placeholders are allowed, those of transformers."""
    content = _read_json(config_file)
    if requirements.allow_placeholder_labels and isinstance(content, dict) and not content.get("id2label"):
        content = {"id2label": {str(index): f"LABEL_{index}" for index in range(head_size)}}
    labels = _in_order(_config_labels(content, config_file), str(config_file))
    return Labels(texts=check_texts(labels, str(config_file), requirements), source=str(config_file))


def labels_of_setfit(setfit: SetFit, file: Path, requirements: SourceRequirements = DEFAULT_REQUIREMENTS) -> Labels:
    """The labels of a SetFit folder's head or config, `file`; placeholders as above."""
    labels: list[Any] = list(setfit.labels)
    if not labels and requirements.allow_placeholder_labels:
        labels = [f"LABEL_{index}" for index in range(len(setfit.head.classes))]
    if not labels:
        raise SourceError(
            f"{str(file)!r} names no labels; pass a label file as ID2LABEL instead of -, or add "
            "--allow-placeholder-labels for LABEL_0, LABEL_1 ..."
        )
    return Labels(texts=check_texts(labels, str(file), requirements), source=str(file))


def require_count(labels: Labels, head_size: int) -> None:
    """SourceError when there are not as many labels as the head has outputs."""
    if len(labels.texts) != head_size:
        raise SourceError(
            f"{labels.source!r} has {len(labels.texts)} labels but the model's head has {head_size} outputs; "
            "the numbers must be equal"
        )


def check_texts(labels: list[Any], source: str, requirements: SourceRequirements) -> tuple[str, ...]:
    """The labels as texts; SourceError (exit 3) for a label that is no text or that the requirements do not allow."""
    for index, label in enumerate(labels):
        is_blank = requirements.blank_label and index == 0
        if not isinstance(label, str) or not (label or is_blank):
            raise SourceError(f"{source!r}: label {index} is {label!r}; a label must be a text that is not empty")
        if SURROGATE.search(label):
            raise SourceError(
                f"{source!r}: label {index} contains half a surrogate pair, which UTF-8 cannot encode; rewrite it"
            )
    placeholders = [index for index, label in enumerate(labels) if re.fullmatch(r"LABEL_[0-9]+", label)]
    if placeholders and not requirements.allow_placeholder_labels:
        raise SourceError(
            f"{source!r}: label {placeholders[0]} is the placeholder {labels[placeholders[0]]!r}, which has no meaning "
            "for clients; pass real labels as ID2LABEL, or add --allow-placeholder-labels"
        )
    repeated = next((label for label, count in Counter(labels).items() if count > 1), None)
    if repeated is not None and not requirements.allow_duplicate_labels:
        first, second, *_ = (index for index, label in enumerate(labels) if label == repeated)
        raise SourceError(
            f"{source!r}: labels {first} and {second} are both {repeated!r}, which clients cannot distinguish; "
            "rename one, or add --allow-duplicate-labels"
        )
    return tuple(labels)


def _label_file(folder: Path) -> Path:
    for name in LABEL_FILES:
        if (folder / name).is_file():
            return folder / name
    raise SourceError(
        f"ID2LABEL {str(folder)!r} is a folder without {', '.join(LABEL_FILES)}; pass the JSON file itself"
    )


def _read_json(file: Path) -> Any:
    if file.exists() and not file.is_file():
        raise SourceError(f"the label file {str(file)!r} is a device or a pipe; pass a file")
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise SourceError(
            f"the label file {str(file)!r} does not exist; pass a JSON file, or - for the labels in the model's config"
        ) from None
    except UnicodeDecodeError as error:
        raise SourceError(
            f"the label file {str(file)!r} is not UTF-8 (byte {error.start}); save it as UTF-8"
        ) from error
    except OSError as error:
        raise SourceError(f"the label file {str(file)!r} cannot be read: {error.strerror}") from error
    if "\0" in text:
        raise SourceError(f"the label file {str(file)!r} is not UTF-8 (it looks like UTF-16); save it as UTF-8")
    try:
        return json.loads(text, object_pairs_hook=lambda pairs: _without_duplicates(pairs, file))
    except (ValueError, RecursionError) as error:  # ValueError: also for a number with too many digits
        raise SourceError(f"the label file {str(file)!r} is not JSON ({error}); {ACCEPTED}") from error


def _without_duplicates(pairs: list[tuple[str, Any]], file: Path) -> dict[str, Any]:
    """Refuses duplicate keys: json.loads keeps only the last, and a label would be lost."""
    seen: dict[str, Any] = {}
    for key, value in pairs:
        if key in seen:
            raise SourceError(f"the label file {str(file)!r} has the key {key!r} twice; keep one of them")
        seen[key] = value
    return seen


def _config_labels(content: Any, file: Path) -> Any:
    if isinstance(content, dict) and content.get("id2label"):
        return content["id2label"]
    raise SourceError(
        f"{str(file)!r} has no id2label; pass a label file as ID2LABEL instead of -, or add --allow-placeholder-labels "
        "for LABEL_0, LABEL_1 ..."
    )


def _in_order(content: Any, source: str) -> list[Any]:
    for name in ("id2label", "label2id"):
        if isinstance(content, dict) and isinstance(content.get(name), dict | list):
            content = content[name]
    if isinstance(content, list):
        return content
    if not isinstance(content, dict) or not content:
        raise SourceError(f"{source!r} has no labels; {ACCEPTED}")
    if not all(isinstance(value, int) and not isinstance(value, bool) for value in content.values()):
        odd = next((key for key in content if not re.fullmatch(INDEX, key)), None)
        if odd is not None:
            raise SourceError(
                f"{source!r} has the key {odd!r}; keys are the head's outputs: 0, 1, 2, without leading zeros"
            )
        return _by_index({int(key): value for key, value in content.items()}, len(content), source)
    if all(re.fullmatch(INDEX, key) for key in content):
        raise SourceError(
            f"{source!r} has numbers as keys and values ({_first(content)}), which is ambiguous; "
            f'{ACCEPTED}, with labels in quotes: {{"0": "1"}}'
        )
    labels = _by_index({value: key for key, value in content.items()}, len(content), source)
    note(f"labels: {source} is read as label2id ({_first(content)})")
    return labels


def _first(content: dict[str, Any]) -> str:
    return ", ".join(f"{json.dumps(key)}: {value}" for key, value in list(content.items())[:2])


def _by_index(labels: dict[int, Any], count: int, source: str) -> list[Any]:
    """The labels of outputs 0 to `count` - 1; SourceError for an output without one, or with two in a label2id."""
    missing = [index for index in range(count) if index not in labels]
    if missing:
        raise SourceError(
            f"{source!r} has {count} labels but none for output {missing[0]}; number them 0 to {count - 1}"
        )
    return [labels[index] for index in range(count)]

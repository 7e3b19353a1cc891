"""Stage 3: the label map, from a JSON file or from the model's own config.json."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from utils.errors import SourceError

LABEL_FILES = ("id2label.json", "label2id.json", "labels.json", "config.json")
ACCEPTED = 'accepted are {"0": "a", "1": "b"}, ["a", "b"], {"a": 0, "b": 1}, or one of these under "id2label"'


@dataclass(frozen=True, kw_only=True)
class Labels:
    """One text per output of the head, in the head's order, and where they were read."""

    texts: tuple[str, ...]
    source: str


def read_labels(path: Path, *, head_size: int) -> Labels:
    """The labels in a JSON file, or in a folder's label file. SourceError (exit 3) says what is wrong with them."""
    file = _label_file(path) if path.is_dir() else path
    content = _read_json(file)
    if file.name == "config.json":
        content = _config_labels(content, file)
    return _check(_in_order(content, str(file)), head_size=head_size, source=str(file))


def labels_of_config(config_file: Path, *, head_size: int) -> Labels:
    """The labels in a model's config.json."""
    content = _config_labels(_read_json(config_file), config_file)
    return _check(_in_order(content, str(config_file)), head_size=head_size, source=str(config_file))


def _label_file(folder: Path) -> Path:
    for name in LABEL_FILES:
        if (folder / name).is_file():
            return folder / name
    raise SourceError(
        f"ID2LABEL {str(folder)!r} is a folder without {', '.join(LABEL_FILES)}; name the JSON file itself"
    )


def _read_json(file: Path) -> Any:
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise SourceError(
            f"the label file {str(file)!r} does not exist; give a JSON file, or - to use the model's config"
        ) from None
    except UnicodeDecodeError as error:
        raise SourceError(
            f"the label file {str(file)!r} is not UTF-8 (byte {error.start}); save it as UTF-8"
        ) from error
    except OSError as error:
        raise SourceError(f"the label file {str(file)!r} cannot be read: {error.strerror}") from error
    try:
        return json.loads(text, object_pairs_hook=lambda pairs: _without_duplicates(pairs, file))
    except (json.JSONDecodeError, RecursionError) as error:
        raise SourceError(f"the label file {str(file)!r} is not JSON ({error}); {ACCEPTED}") from error


def _without_duplicates(pairs: list[tuple[str, Any]], file: Path) -> dict[str, Any]:
    """JSON lets a key stand twice and keeps the last; a label would silently be lost."""
    seen: dict[str, Any] = {}
    for key, value in pairs:
        if key in seen:
            raise SourceError(f"the label file {str(file)!r} has the key {key!r} twice; keep one of them")
        seen[key] = value
    return seen


def _config_labels(content: Any, file: Path) -> Any:
    if isinstance(content, dict) and content.get("id2label"):
        return content["id2label"]
    raise SourceError(f"{str(file)!r} holds no id2label; give a label file as ID2LABEL instead of -")


def _in_order(content: Any, source: str) -> list[Any]:
    if isinstance(content, dict) and isinstance(content.get("id2label"), dict | list):
        content = content["id2label"]
    if isinstance(content, list):
        return content
    if not isinstance(content, dict) or not content:
        raise SourceError(f"{source!r} holds no labels; {ACCEPTED}")
    if all(isinstance(value, int) and not isinstance(value, bool) for value in content.values()):
        return _by_index({value: key for key, value in content.items()}, len(content), source)
    return _by_index({_index(key, source): value for key, value in content.items()}, len(content), source)


def _index(key: str, source: str) -> int:
    if not re.fullmatch(r"0|[1-9][0-9]{0,8}", key):
        raise SourceError(
            f"{source!r} has the key {key!r}; keys are the head's outputs, counted 0, 1, 2 without padding"
        )
    return int(key)


def _by_index(labels: dict[int, Any], count: int, source: str) -> list[Any]:
    """A label2id with two labels for one output is shorter here than `count`, and is refused like a gap."""
    missing = [index for index in range(count) if index not in labels]
    if missing:
        raise SourceError(
            f"{source!r} names {count} labels but none for output {missing[0]}; number them 0 to {count - 1}"
        )
    return [labels[index] for index in range(count)]


def _check(labels: list[Any], *, head_size: int, source: str) -> Labels:
    for index, label in enumerate(labels):
        if not isinstance(label, str) or not label:
            raise SourceError(f"{source!r}: label {index} is {label!r}; a label is a text that is not empty")
        if not _is_encodable(label):
            raise SourceError(
                f"{source!r}: label {index} holds half a surrogate pair, which UTF-8 cannot carry; rewrite it"
            )
    if len(labels) != head_size:
        raise SourceError(
            f"{source!r} holds {len(labels)} labels but the model's head has {head_size} outputs; they must agree"
        )
    return Labels(texts=tuple(labels), source=source)


def _is_encodable(label: str) -> bool:
    try:
        label.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True

"""The YAML file of --config: names and values as on the command line, with the same checks."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

from utils.host.errors import UsageError
from utils.host.plain_file import read_plain

TRUE, FALSE, NOTHING = ("true", "True", "TRUE"), ("false", "False", "FALSE"), ("", "~", "null", "Null", "NULL")
# Before the first set-up PyYAML is not installed: the file is checked after it.
_UNREAD = [(name, (".", True)) for name in ("model", "tokenizer", "id2label")]


def read_config(
    path: Path, *, known: set[str], flags: set[str], lists: Collection[str] = frozenset()
) -> dict[str, Any]:
    """The file's values: texts, lists of texts for `lists`, and True for each of `flags` that is on.

    Empty and false values are left out. Names are those of the command line, with `-` or `_`.
    Raises UsageError (exit 2) for a file that cannot be read or has an unknown name or an invalid value.
    """
    try:
        text = read_plain(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"--config {str(path)!r} cannot be read: not UTF-8 (byte {error.start})") from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UsageError(f"--config {str(path)!r} cannot be read: {reason}") from error
    written: dict[str, Any] = {}
    for key, value in _pairs(text, path):
        name = key.replace("-", "_")
        if name in written:
            raise UsageError(f"--config {str(path)!r} has {key!r} twice; keep one of them")
        written[name] = value
    unknown = sorted(set(written) - known)
    if unknown:
        raise UsageError(
            f"--config {str(path)!r} has unknown names {', '.join(unknown)}; known: {', '.join(sorted(known))}"
        )
    values = {
        name: _texts(name, value, path) if name in lists else _value(name, value, path, is_flag=name in flags)
        for name, value in written.items()
    }
    return {name: value for name, value in values.items() if value not in (None, False)}


def _pairs(text: str, path: Path) -> list[tuple[str, Any]]:
    """(name, value) as written; a value is a text and whether it is quoted, a list of these, or None."""
    try:
        import yaml
    except ImportError:
        return _UNREAD
    try:
        root = yaml.compose(text, Loader=yaml.BaseLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: an escape of no character
        reason = " ".join(str(error).split())
        raise UsageError(f"--config {str(path)!r} cannot be read as YAML: {reason}") from error
    if not isinstance(root, yaml.MappingNode):
        raise UsageError(f"--config {str(path)!r} must hold names and values, such as `model: ./model`")
    return [(str(name.value), _scalar(value, path)) for name, value in root.value]


def _texts(name: str, value: Any, path: Path) -> list[str] | None:
    """One text, or a list of them."""
    texts = [_value(name, each, path, is_flag=False) for each in (value if isinstance(value, list) else [value])]
    return [text for text in texts if isinstance(text, str)] or None


def _scalar(node: Any, path: Path, *, listed: bool = False) -> Any:
    """A scalar's text as written, or those of a list. A list in a list is None: it may contain itself.

    YAML's own types would turn the image tag 1.10 into 1.1, and a model named no into false.
    """
    if node.tag.startswith(("tag:yaml.org,2002:python/", "!")):
        raise UsageError(f"--config {str(path)!r} cannot be read as YAML of plain values: it has a tag {node.tag!r}")
    if node.id == "sequence" and not listed:
        return [_scalar(each, path, listed=True) for each in node.value]
    return (node.value, node.style is not None) if isinstance(node.value, str) else None


def _value(name: str, value: Any, path: Path, *, is_flag: bool) -> str | bool | None:
    shown = name.upper() if name in ("model", "tokenizer", "id2label", "model_name", "tag", "max_batch_size") else name
    if not isinstance(value, tuple):
        raise UsageError(f"{shown} ({name}) in --config {str(path)!r} is a list or a map; it must be one value")
    text, quoted = value
    if not quoted and text in NOTHING:
        return None
    if not is_flag:
        return str(text)
    if quoted or text not in TRUE + FALSE:
        raise UsageError(f"{name} is {text!r} in --config {str(path)!r}; it is true or false")
    return bool(text in TRUE)

"""The YAML file of --config: names and values as on the command line, for one build or for a list of builds."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from utils.host.errors import UsageError
from utils.host.plain_file import read_plain

BUILDS, SHARED = "builds", "defaults"
REQUIRED = ("model", "tokenizer", "id2label")
TRUE, FALSE, NOTHING = ("true", "True", "TRUE"), ("false", "False", "FALSE"), ("", "~", "null", "Null", "NULL")


@dataclass(frozen=True, kw_only=True)
class Names:
    """The names that a build may have; `flags` are true or false, `lists` have one text or several."""

    known: frozenset[str]
    flags: frozenset[str] = frozenset()
    lists: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Listed:
    """One build of a list: its values with the shared ones, and its place in the file, for messages."""

    values: dict[str, Any]
    place: str


@dataclass(frozen=True, kw_only=True)
class Config:
    """The values of one build, or the builds of a list. Texts, lists of texts, and True for each flag that is on.

    `unread`: PyYAML is not installed before the first set-up; the file is checked after it.
    """

    values: dict[str, Any]
    builds: tuple[Listed, ...] = ()
    unread: bool = False


def read_config(path: Path, names: Names) -> Config:
    """The file's values. Names are those of the command line, with `-` or `_`; empty and false values are left out.

    Raises UsageError (exit 2) for a file that cannot be read or has an unknown name or an invalid value.
    """
    text = _read(path)
    try:
        import yaml
    except ImportError:
        return Config(values=dict.fromkeys(REQUIRED, "."), unread=True)
    try:
        # BaseLoader: YAML's own types would turn the image tag 1.10 into 1.1, and a model named no into false.
        root = yaml.compose(text, Loader=yaml.BaseLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: an escape of no character
        reason = " ".join(str(error).split())
        raise UsageError(f"--config {str(path)!r} cannot be read as YAML: {reason}") from error
    if root is None:
        raise UsageError(f"--config {str(path)!r} is empty; it must hold names and values, such as `model: ./model`")
    file = _File(path, names)
    entries = file.entries(root, "")
    if BUILDS not in entries:
        return Config(values=_present(file.values(entries, "")))
    return Config(values={}, builds=tuple(file.builds(entries)))


def _read(path: Path) -> str:
    try:
        return read_plain(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"--config {str(path)!r} cannot be read: not UTF-8 (byte {error.start})") from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UsageError(f"--config {str(path)!r} cannot be read: {reason}") from error


def _inside(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name


def _present(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value not in (None, False)}


class _File:
    """Reads the nodes of a file; every refusal names the file, the line and the key."""

    def __init__(self, path: Path, names: Names) -> None:
        self._path, self._names = path, names

    def place(self, node: Any, key: str) -> str:
        """`--config 'builds.yaml', line 3, builds[0].tag`."""
        return f"--config {str(self._path)!r}, line {node.start_mark.line + 1}{key and f', {key}'}"

    def refuse(self, node: Any, key: str, reason: str) -> NoReturn:
        """Raises the UsageError."""
        raise UsageError(f"{self.place(node, key)}: {reason}")

    def entries(self, node: Any, key: str) -> dict[str, Any]:
        """{name: value node} of a mapping; refuses a name that occurs twice."""
        self._require_plain(node, key)
        if node.id != "mapping":
            self.refuse(node, key, "it must hold names and values, such as `model: ./model`")
        found: dict[str, Any] = {}
        lines: dict[str, int] = {}
        for name_node, value in node.value:
            if name_node.id != "scalar":
                self.refuse(name_node, key, "a name is a list or a map; it must be one word, such as `model`")
            name = name_node.value.replace("-", "_")
            if name in found:
                reason = f"{name_node.value!r} twice (line {lines[name]}); keep one of them"
                self.refuse(name_node, _inside(key, name), reason)
            found[name], lines[name] = value, name_node.start_mark.line + 1
        return found

    def values(self, entries: dict[str, Any], key: str) -> dict[str, Any]:
        """The values of a build, None for an empty one; refuses unknown names."""
        self._require_known(entries, key, self._names.known)
        return {name: self._value(name, node, _inside(key, name)) for name, node in entries.items()}

    def builds(self, entries: dict[str, Any]) -> Iterable[Listed]:
        """The builds of a list. A value of a build replaces the shared one, an empty value removes it."""
        self._require_known(entries, "", {BUILDS, SHARED}, f"; write the names of a build below {SHARED} or {BUILDS}")
        node = entries[BUILDS]
        self._require_plain(node, BUILDS)
        if node.id != "sequence" or not node.value:
            self.refuse(node, BUILDS, "it must be a list with at least one build, such as `- model: ./model`")
        shared = entries.get(SHARED)
        values = self.values(self.entries(shared, SHARED), SHARED) if shared else {}
        for number, each in enumerate(node.value):
            key = f"{BUILDS}[{number}]"
            own = self.values(self.entries(each, key), key)
            yield Listed(values=_present({**values, **own}), place=self.place(each, key))

    def _require_known(self, entries: dict[str, Any], key: str, known: Iterable[str], advice: str = "") -> None:
        unknown = [name for name in entries if name not in known]
        if unknown:
            names = ", ".join(f"{_inside(key, name)} (line {entries[name].start_mark.line + 1})" for name in unknown)
            raise UsageError(
                f"--config {str(self._path)!r} has unknown names {names}; known: {', '.join(sorted(known))}{advice}"
            )

    def _require_plain(self, node: Any, key: str) -> None:
        if node.tag.startswith(("tag:yaml.org,2002:python/", "!")):
            self.refuse(node, key, f"it cannot be read as YAML of plain values: it has a tag {node.tag!r}")

    def _value(self, name: str, node: Any, key: str) -> Any:
        if name in self._names.lists:
            self._require_plain(node, key)
            texts = [self._text(each, key) for each in (node.value if node.id == "sequence" else [node])]
            return [text for text in texts if text is not None] or None
        text = self._text(node, key)
        if text is None or name not in self._names.flags:
            return text
        if node.style is not None or text not in TRUE + FALSE:
            self.refuse(node, key, f"it is {text!r}; it must be true or false")
        return text in TRUE

    def _text(self, node: Any, key: str) -> str | None:
        """A scalar's text as written; None for an empty one. A list may contain itself, so it is not shown."""
        self._require_plain(node, key)
        if node.id != "scalar":
            self.refuse(node, key, "it is a list or a map; it must be one value")
        return None if node.style is None and node.value in NOTHING else str(node.value)

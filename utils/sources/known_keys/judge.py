"""Decides whether a setting is read, passes with a warning, or is refused. The rule: docs/what-is-read.md."""

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from utils.sources.known_keys.tables import ANY_FILE, Row, is_empty, rows


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One key of one file. `name`: its path, such as text_config.hidden_size. `kind`: the file's name in rows.json."""

    file: str
    kind: str
    name: str
    value: Any

    @property
    def key(self) -> str:
        """The last part of the name."""
        return self.name.rpartition(".")[2]


@dataclass(frozen=True, kw_only=True)
class Known:
    """The keys that a file's reader reads (`read`), those that similar readers read (`elsewhere`), and the rules.

    `sections`: of rows.json, the most specific first. `strict`: every unknown key is refused. `newer`: the version of
    transformers that wrote the file, if it is newer than `reader`, the one that reads it.
    """

    read: frozenset[str] = frozenset()
    elsewhere: frozenset[str] = frozenset()
    sections: tuple[str, ...] = ()
    strict: bool = False
    newer: str | None = None
    reader: str = ""


@dataclass(frozen=True, kw_only=True)
class UnreadSetting:
    """A setting that nothing here reads, whether it is refused, and the reason."""

    setting: Setting
    refused: bool
    why: str

    def __str__(self) -> str:
        return f"{self.setting.name} = {shown(self.setting.value)} in {self.setting.file} ({self.why})"


def shown(value: Any) -> str:
    """The value, cut to 60 characters."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def unread_setting(setting: Setting, known: Known) -> UnreadSetting | None:
    """None for a setting that is read or harmless."""
    if setting.key in known.read:
        return None
    row = _row_of(setting.key, (*known.sections, ANY_FILE))
    if row is not None and not (row.is_guess and _is_off(setting.value)):
        return None if row.allows(setting.value) else UnreadSetting(setting=setting, refused=True, why=row.text)
    why = f"no library here reads it in a {setting.kind}"
    if known.strict:
        return None if is_empty(setting.value) else UnreadSetting(setting=setting, refused=True, why=why)
    if known.newer:
        why = f"unknown to transformers {known.reader}; {known.newer} wrote the file"
        return None if setting.value is None else UnreadSetting(setting=setting, refused=True, why=why)
    if setting.key in known.elsewhere:
        why = "transformers reads it in files of other types only"
        return None if _is_off(setting.value) else UnreadSetting(setting=setting, refused=False, why=why)
    return (
        None if is_empty(setting.value) else UnreadSetting(setting=setting, refused=_computes(setting.value), why=why)
    )


def _is_off(value: Any) -> bool:
    return value is False or is_empty(value)


def _row_of(key: str, sections: Iterable[str]) -> Row | None:
    """In each section an exact key has priority over a pattern."""
    for section in sections:
        found = [row for row in rows(section) if row.key == key] or [
            row for row in rows(section) if fnmatchcase(key.lower(), row.key)
        ]
        if found:
            return found[0]
    return None


def _computes(value: Any) -> bool:
    """True for a number, true, or a container of one: it may change answers. Texts and false do not."""
    if isinstance(value, dict):
        return any(map(_computes, value.values()))
    if isinstance(value, list):
        return any(map(_computes, value))
    return value is True or (isinstance(value, int | float) and value is not False)

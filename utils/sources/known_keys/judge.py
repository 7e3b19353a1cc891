"""Decides whether a setting is read, passes with a warning, or is refused, unless --accept-unknown names it.

The rule: docs/what-is-read.md.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from utils.host.errors import SourceError
from utils.host.progress import warn
from utils.sources.known_keys.tables import ANY_FILE, Row, is_empty, rows

MOST_SHOWN = 8


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
    value = setting.value
    is_off = value is False or is_empty(value)
    row = _row_of(setting.key, (*known.sections, ANY_FILE))
    why = f"no library here reads it in a {setting.kind}"
    if row is not None and not (row.is_guess and is_off):
        harmless, refused, why = row.allows(value), True, row.text
    elif known.strict:
        harmless, refused = is_empty(value), True
    elif known.newer:
        harmless, refused = value is None, True
        why = f"unknown to transformers {known.reader}; {known.newer} wrote the file"
    elif setting.key in known.elsewhere:
        harmless, refused, why = is_off, False, "transformers reads it in files of other types only"
    else:
        harmless, refused = is_empty(value), _computes(value)
    return None if harmless else UnreadSetting(setting=setting, refused=refused, why=why)


def _row_of(key: str, sections: Iterable[str]) -> Row | None:
    """In each section an exact key has priority over a pattern."""
    for section in sections:
        exact = [row for row in rows(section) if row.key == key]
        if found := exact or [row for row in rows(section) if fnmatchcase(key.lower(), row.key)]:
            return found[0]
    return None


def _computes(value: Any) -> bool:
    """True for a number, true, or a container of one: it may change answers. Texts and false do not."""
    if isinstance(value, dict | list):
        return any(map(_computes, value.values() if isinstance(value, dict) else value))
    return value is True or (isinstance(value, int | float) and value is not False)


def require_understood(unread: Iterable[UnreadSetting], accepted: Iterable[str]) -> tuple[str, ...]:
    """The names in `accepted` (--accept-unknown) that apply to a setting in `unread`, with a warning for each.

    Raises SourceError (exit 3) with every other setting that is not read and may change answers.
    """
    found = list(unread)
    allowed = {name for name in accepted if any(each.refused and each.setting.name == name for each in found)}
    refused = [each for each in found if each.refused and each.setting.name not in allowed]
    if refused:
        options = " ".join(f"--accept-unknown {name}" for name in dict.fromkeys(each.setting.name for each in refused))
        raise SourceError(
            f"this factory does not read {_listed(refused)}, which may change the model's answers; remove the "
            f"setting from the file if it does not, or add {options} to build without it"
        )
    harmless = [each for each in found if not each.refused]
    if harmless:
        warn(f"settings that no library here reads and that do not change answers: {_listed(harmless)}")
    if allowed_here := [each for each in found if each.setting.name in allowed]:
        warn(f"settings that may change answers are not read because of --accept-unknown: {_listed(allowed_here)}")
    return tuple(sorted(allowed))


def warn_of_unused(options: Iterable[str], accepted: Iterable[str]) -> None:
    """Warns of each name in `options` (--accept-unknown) that is not in `accepted`, those that apply to a setting."""
    for name in sorted({*options} - {*accepted}):
        warn(
            f"--accept-unknown {name} has no effect: no file of the model, tokenizer or labels has an unread setting "
            "of that name that would be refused; check the spelling or remove the option"
        )


def _listed(unread: list[UnreadSetting]) -> str:
    more = f" and {len(unread) - MOST_SHOWN} more" if len(unread) > MOST_SHOWN else ""
    return ", ".join(map(str, unread[:MOST_SHOWN])) + more

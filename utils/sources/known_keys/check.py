"""No setting is ignored: one that nothing here reads is refused, unless --accept-unknown names it."""

from collections.abc import Iterable

from utils.host.errors import SourceError
from utils.host.progress import warn
from utils.sources.known_keys.judge import UnreadSetting

MOST_SHOWN = 8


def require_understood(unread: Iterable[UnreadSetting], accepted: Iterable[str]) -> tuple[str, ...]:
    """The names in `accepted` (--accept-unknown) that apply to a setting in `unread`, with a warning for each.

    Raises SourceError (exit 3) with every other setting that is not read and may change answers.
    """
    found = list(unread)
    allowed = {name for name in accepted if any(each.refused and each.setting.name == name for each in found)}
    refused = [each for each in found if each.refused and each.setting.name not in allowed]
    if refused:
        raise SourceError(_refusal(refused))
    harmless = [each for each in found if not each.refused]
    if harmless:
        warn(f"settings that no library here reads and that do not change answers: {_listed(harmless)}")
    if taken := [each for each in found if each.setting.name in allowed]:
        warn(f"settings that may change answers are not read because of --accept-unknown: {_listed(taken)}")
    return tuple(sorted(allowed))


def warn_of_unused(options: Iterable[str], accepted: Iterable[str]) -> None:
    """Warns of each name in `options` (--accept-unknown) that is not in `accepted`, those that apply to a setting."""
    for name in sorted({*options} - {*accepted}):
        warn(
            f"--accept-unknown {name} has no effect: no file of the model, tokenizer or labels has an unread setting "
            "of that name that would be refused; check the spelling or remove the option"
        )


def _refusal(refused: list[UnreadSetting]) -> str:
    options = " ".join(f"--accept-unknown {name}" for name in dict.fromkeys(each.setting.name for each in refused))
    return (
        f"this factory does not read {_listed(refused)}, which may change the model's answers; remove the "
        f"setting from the file if it does not, or add {options} to build without it"
    )


def _listed(unread: list[UnreadSetting]) -> str:
    texts = [str(each) for each in unread[:MOST_SHOWN]]
    more = len(unread) - len(texts)
    return ", ".join(texts) + (f" and {more} more" if more else "")

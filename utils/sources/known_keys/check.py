"""No setting is ignored: one that nothing here reads is refused, unless --accept-unknown names it."""

from collections.abc import Iterable

from utils.host.errors import SourceError
from utils.host.progress import warn
from utils.sources.known_keys.judge import UnreadSetting

MOST_SHOWN = 8


def require_understood(doubts: Iterable[UnreadSetting], accepted: Iterable[str]) -> tuple[str, ...]:
    """The names in `accepted` (--accept-unknown) that were of use; a warning shows each.

    SourceError (exit 3) names every setting that nothing reads and that may change answers.
    """
    found = list(doubts)
    allowed = {name for name in accepted if any(doubt.refused and doubt.setting.name == name for doubt in found)}
    refused = [doubt for doubt in found if doubt.refused and doubt.setting.name not in allowed]
    if refused:
        raise SourceError(_refusal(refused))
    unread = [doubt for doubt in found if not doubt.refused]
    if unread:
        warn(f"settings that no library here reads, and that change no answer: {_listed(unread)}")
    if taken := [doubt for doubt in found if doubt.setting.name in allowed]:
        warn(f"settings that may change answers are left unread, as --accept-unknown says: {_listed(taken)}")
    return tuple(sorted(allowed))


def warn_of_unused(options: Iterable[str], accepted: Iterable[str]) -> None:
    """Names each --accept-unknown in `options` that no file needed; `accepted`: those that were of use."""
    for name in sorted({*options} - {*accepted}):
        warn(
            f"--accept-unknown {name} has no effect: no file of the model, tokenizer or labels has an unread setting "
            "of that name that would be refused; check the spelling or remove the option"
        )


def _refusal(refused: list[UnreadSetting]) -> str:
    options = " ".join(f"--accept-unknown {name}" for name in dict.fromkeys(doubt.setting.name for doubt in refused))
    return (
        f"this factory does not read {_listed(refused)}, and the model's own answers may depend on that; remove the "
        f"setting from the file if they do not, or give {options} to build without it"
    )


def _listed(doubts: list[UnreadSetting]) -> str:
    texts = [str(doubt) for doubt in doubts[:MOST_SHOWN]]
    more = len(doubts) - len(texts)
    return ", ".join(texts) + (f" and {more} more" if more else "")

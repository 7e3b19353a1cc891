"""The results of checks, and the report."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from utils.host.errors import FactoryError

OK, WARNING, FAULT = "ok", "warning", "fault"
WIDTH = 118


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One line of the report. `advice` says what to do; after a fault, a build exits with `exit_code`."""

    status: str
    check: str
    found: str
    advice: str = ""
    exit_code: int = 0


@dataclass(frozen=True, kw_only=True)
class ProofRow:
    """One line of the table of --prove. `row`: the row of the fault table; 0 for none."""

    status: str
    row: int
    case: str
    must: str
    seen: str
    exit_code: int = 0


def ok(check: str, found: str) -> Finding:
    """A passed check."""
    return Finding(status=OK, check=check, found=found)


def warning(check: str, found: str, advice: str) -> Finding:
    """A warning: some builds fail, or are slower or less safe."""
    return Finding(status=WARNING, check=check, found=found, advice=advice)


def fault(check: str, found: str, advice: str, fails_as: type[FactoryError]) -> Finding:
    """A fault: a build fails with `fails_as`."""
    return Finding(status=FAULT, check=check, found=found, advice=advice, exit_code=fails_as.exit_code)


def fault_of(check: str, error: FactoryError) -> Finding:
    """A fault from an error, whose text has the advice after the first semicolon."""
    found, _, advice = str(error).partition("; ")
    return fault(check, found, advice, type(error))


def proof_row(row: int, case: str, must: str, seen: str, exit_code: int = 0) -> ProofRow:
    """A row of the table of --prove: a fault with an exit code other than 0."""
    status = FAULT if exit_code else OK
    return ProofRow(status=status, row=row, case=case, must=must, seen=seen, exit_code=exit_code)


def as_text(sections: Mapping[str, Sequence[Finding]], rows: Sequence[ProofRow]) -> str:
    """The report as text: one block per section, the table of the proof, and the counts."""
    wide = max(len(finding.check) for findings in sections.values() for finding in findings)
    lines = []
    for title, findings in sections.items():
        lines += [title, *(line for finding in findings for line in _lines(finding, wide)), ""]
    if rows:
        lines += ["proof", *_table(rows), ""]
    statuses = [each.status for findings in sections.values() for each in findings] + [row.status for row in rows]
    return "\n".join([*lines, ", ".join(_counted(statuses, status) for status in (OK, WARNING, FAULT))])


def _counted(statuses: Sequence[str], status: str) -> str:
    number = statuses.count(status)
    return f"{number} {status}{'s' if number != 1 and status != OK else ''}"


def _lines(finding: Finding, wide: int) -> Iterator[str]:
    head = f"  {finding.status:7}  {finding.check:{wide}}  "
    blank = " " * len(head)
    yield from _wrapped(finding.found, head, blank)
    if finding.advice:
        yield from _wrapped(finding.advice, f"{blank}-> ", f"{blank}   ")


def _wrapped(text: str, first: str, rest: str) -> list[str]:
    """Wraps without breaking image names, paths and commands."""
    wrapper = textwrap.TextWrapper(
        WIDTH, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    )
    return wrapper.wrap(text)


def _table(rows: Sequence[ProofRow]) -> list[str]:
    cells = [("status", "row", "case", "must", "seen")]
    # `seen` may be lines of a server log.
    cells += [(row.status, str(row.row or "-"), row.case, row.must, " ".join(row.seen.split())) for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return ["  " + "  ".join(map(str.ljust, line, widths)).rstrip() for line in cells]

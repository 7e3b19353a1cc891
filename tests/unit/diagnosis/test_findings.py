"""The report as text."""

from utils.diagnosis.findings import FAULT, OK, WIDTH, ProofRow, as_text, fault, fault_of, ok, warning
from utils.host.errors import ImageError, UsageError


def test_the_columns_of_all_sections_are_aligned():
    text = as_text(
        {"one": [ok("short", "fine")], "two": [fault("a longer check", "broken", "mend it", UsageError)]}, []
    )
    assert text == (
        "one\n"
        "  ok       short           fine\n"
        "\n"
        "two\n"
        "  fault    a longer check  broken\n"
        "                           -> mend it\n"
        "\n"
        "1 ok, 0 warnings, 1 fault"
    )


def test_a_long_line_is_wrapped_and_a_name_stays_whole():
    name = "registry.example.org/team/" + "x" * WIDTH
    lines = as_text({"one": [warning("check", f"{'word ' * 40}{name}", "do this")]}, []).splitlines()
    assert any(line.strip() == name for line in lines)
    assert all(len(line) <= WIDTH or name in line for line in lines)
    assert {line[:18] for line in lines[2:-3]} == {" " * 18}


def test_the_table_of_the_proof_is_aligned():
    rows = [
        ProofRow(status=OK, row=0, case="built", must="yes", seen="yes"),
        ProofRow(status=FAULT, row=12, case="stub killed", must="ends", seen="runs:\n  a log", exit_code=8),
    ]
    assert as_text({"one": [ok("check", "fine")]}, rows).splitlines()[3:] == [
        "proof",
        "  status  row  case         must  seen",
        "  ok      -    built        yes   yes",
        "  fault   12   stub killed  ends  runs: a log",
        "",
        "2 ok, 0 warnings, 1 fault",
    ]


def test_an_error_is_split_into_fault_and_advice():
    found = fault_of("engine", ImageError("no engine answers; start it, or use --no-image"))
    assert (found.found, found.advice) == ("no engine answers", "start it, or use --no-image")
    assert (found.status, found.exit_code) == (FAULT, ImageError.exit_code)

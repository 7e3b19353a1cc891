"""The stdout rule and the exit codes, in real processes: the tests check what a shell sees."""

import signal

import pytest

from utils.host import entry, errors
from utils.host.errors import UsageError

PRELUDE = """
import ctypes, os, signal, subprocess, sys
from utils.host import entry, errors
"""


def outcome(child, timeout=30):
    out, err = child.communicate(timeout=timeout)
    return child.returncode, out, err


@pytest.mark.parametrize(
    "noise",
    [
        "print('noise')",
        "sys.stdout.write('noise')",
        "sys.__stdout__.write('noise')",
        "os.write(1, b'noise')",
        "subprocess.run(['echo', 'noise'])",
        "os.system('echo noise')",
        "ctypes.CDLL(None).puts(b'noise')",
    ],
)
def test_only_the_result_reaches_stdout(start_child, noise):
    code = f"{PRELUDE}\ndef command():\n    {noise}\n    return 'the result'\nentry.run(command)"
    returncode, out, err = outcome(start_child(code))
    assert (returncode, out) == (0, "the result\n")
    assert "noise" in err


def test_output_before_a_failure_does_not_reach_stdout(start_child):
    code = f"{PRELUDE}\ndef command():\n    print('noise')\n    raise errors.ExportError('no')\nentry.run(command)"
    assert outcome(start_child(code)) == (4, "", "noise\nerror: no\n")


def test_an_empty_result_prints_nothing(start_child):
    assert outcome(start_child(f"{PRELUDE}\nentry.run(lambda: '')")) == (0, "", "")


def test_a_result_in_any_script_is_printed(start_child):
    returncode, out, _ = outcome(start_child(f"{PRELUDE}\nentry.run(lambda: 'помощь 👍🏽')"))
    assert (returncode, out) == (0, "помощь 👍🏽\n")


@pytest.mark.parametrize(
    ("name", "exit_code"),
    [
        ("UsageError", 2),
        ("SourceError", 3),
        ("ExportError", 4),
        ("ParityError", 5),
        ("RenderError", 6),
        ("ImageError", 7),
        ("BootProofError", 8),
    ],
)
def test_each_error_is_one_line_with_its_exit_code(capsys, name, exit_code):
    def command():
        raise getattr(errors, name)("what happened, and what to do")

    with pytest.raises(SystemExit) as end:
        entry.run(command)
    assert end.value.code == exit_code
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "error: what happened, and what to do\n")


@pytest.mark.parametrize(("value", "traceback"), [("1", True), ("0", False), ("", False)])
def test_a_traceback_is_shown_with_the_debug_variable(capsys, monkeypatch, value, traceback):
    monkeypatch.setenv("TRITON_FACTORY_DEBUG", value)

    def command():
        raise UsageError("wrong")

    with pytest.raises(SystemExit):
        entry.run(command)
    err = capsys.readouterr().err
    assert ("Traceback" in err) == traceback
    assert err.endswith("error: wrong\n")


# The result comes before the signal, so a code of 0 or a line on stdout would be a lost interrupt.
WAITING = f"""{PRELUDE}
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
def command():
    try:
        print("ready", file=sys.stderr, flush=True)
        signal.pause()
    except Exception:
        return "swallowed"
    finally:
        print("tidied up", file=sys.stderr, flush=True)
    return "the result"
entry.run(command)
"""


@pytest.mark.parametrize(
    ("number", "exit_code", "expected"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]
)
def test_a_signal_exits_with_its_code_after_clean_up(start_child, number, exit_code, expected):
    child = start_child(WAITING)
    assert child.stderr.readline() == "ready\n"
    child.send_signal(number)
    returncode, out, err = outcome(child)
    assert (returncode, out) == (exit_code, "")
    assert err == f"tidied up\n{expected}\n"


def test_an_unexpected_exception_exits_with_1(start_child):
    returncode, out, err = outcome(start_child(f"{PRELUDE}\nentry.run(lambda: 1 / 0)"))
    assert (returncode, out) == (1, "")
    assert "ZeroDivisionError" in err


PANIC = """
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from utils.host import entry

encoding = Tokenizer(WordLevel({"a": 0}, unk_token="a")).encode(["a", "a"], is_pretokenized=True)
entry.run(lambda: encoding.truncate(1, stride=5))
"""


def test_a_rust_panic_is_reported_in_one_line(start_child):
    """PanicException is not an Exception."""
    child = start_child(PANIC)
    out, err = child.communicate(timeout=60)
    assert (child.returncode, out) == (1, "")
    assert err.splitlines()[-1].startswith("error: unexpected PanicException: ")
    assert "Traceback" not in err


def test_help_goes_to_stdout(start_child):
    code = f"{PRELUDE}\nentry.run(lambda: entry.Parser(prog='x.sh').parse_args(['--help']))"
    returncode, out, err = outcome(start_child(code))
    assert returncode == 0
    assert out.startswith("usage: x.sh")
    assert err == ""


def test_a_parser_error_is_a_usage_error():
    with pytest.raises(UsageError, match=r"unrecognized arguments: --nothing; see x\.sh --help"):
        entry.Parser(prog="x.sh").parse_args(["--nothing"])

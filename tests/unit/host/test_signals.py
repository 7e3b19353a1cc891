"""Signals to real processes."""

import signal

PRELUDE = """
import os, signal, sys, time
from utils.host import signals
from utils.host.errors import Terminated
signals.listen()
"""


def outcome(child, timeout=30):
    out, err = child.communicate(timeout=timeout)
    return child.returncode, out, err


def test_later_signals_do_not_interrupt_the_clean_up(start_child):
    code = f"""{PRELUDE}
try:
    os.kill(os.getpid(), signal.SIGTERM)
except Terminated:
    for number in (signal.SIGINT, signal.SIGTERM) * 3:
        os.kill(os.getpid(), number)
    print("cleared up")
"""
    assert outcome(start_child(code)) == (0, "cleared up\n", "")


def test_a_hanging_clean_up_can_be_interrupted(start_child):
    code = f"""{PRELUDE}
signals.PATIENCE_SECONDS = 0.1
try:
    os.kill(os.getpid(), signal.SIGINT)
except KeyboardInterrupt:
    try:
        time.sleep(0.2)
        os.kill(os.getpid(), signal.SIGTERM)
    except Terminated:
        print("stopped")
"""
    assert outcome(start_child(code)) == (0, "stopped\n", "")


def test_a_swallowed_interrupt_is_raised_again(start_child):
    code = f"""{PRELUDE}
class Library:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
signals.check()
library = Library()
del library
try:
    signals.check()
except KeyboardInterrupt:
    print("interrupted")
"""
    returncode, out, _ = outcome(start_child(code))
    assert (returncode, out) == (0, "interrupted\n")


def test_an_ignored_sigint_is_handled(start_child):
    code = f"import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n{PRELUDE}\nprint(flush=True)\ntime.sleep(60)"
    child = start_child(code)
    child.stdout.readline()
    child.send_signal(signal.SIGINT)
    assert outcome(child)[0] == -signal.SIGINT

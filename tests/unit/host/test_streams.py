import os
import subprocess
import sys

from utils import ROOT

TAKE = f"""
import ctypes, os, sys
sys.path.insert(0, {str(ROOT)!r})
from utils.host.streams import redirected, take_stdout
"""


def run(program):
    done = subprocess.run([sys.executable, "-c", TAKE + program], capture_output=True, text=True, check=True)
    return done.stdout, done.stderr


def test_only_the_answer_reaches_stdout():
    stdout, stderr = run("answer = take_stdout(); print('noise'); os.write(1, b'more\\n'); answer.write(b'answer')")
    assert stdout == "answer"
    assert sorted(stderr.split()) == ["more", "noise"]


def test_redirected_streams_return_with_what_was_buffered():
    """Python's buffer and the C library's, filled inside the block, are written to its target."""
    noise = "print('python'); ctypes.CDLL(None).puts(b'library')"
    stdout, stderr = run(f"print('before')\nwith redirected([1], 2):\n    {noise}\nprint('after')")
    assert stdout.split() == ["before", "after"]
    assert sorted(stderr.split()) == ["library", "python"]


def test_the_original_stream_is_at_hand(tmp_path):
    target = tmp_path / "target"
    program = f"with open({os.fspath(target)!r}, 'w') as t, redirected([1, 2], t.fileno()) as [out, err]:\n"
    stdout, stderr = run(program + "    os.write(out, b'result'); print('noise'); os.write(2, b'error')")
    assert (stdout, stderr) == ("result", "")
    assert sorted(target.read_text().split()) == ["error", "noise"]

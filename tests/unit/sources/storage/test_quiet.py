import subprocess
import sys

# pytest replaces both streams, so the output is checked in another process.
PROGRAM = """
import logging, os, subprocess, sys
from utils.sources.storage.quiet import silence

logging.basicConfig(stream=sys.stdout)
print("before")
try:
    with silence():
        print("printed")
        print("complained", file=sys.stderr)
        logging.warning("logged")
        os.write(1, b"written")
        subprocess.run(["echo", "from a child"], check=True)
        raise RuntimeError
except RuntimeError:
    print("after")
    print("after", file=sys.stderr)
"""


def _output():
    return subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)


def test_output_is_discarded_and_both_streams_are_restored():
    done = _output()
    assert (done.stdout, done.stderr) == ("before\nafter\n", "after\n")


def test_debug_shows_everything(monkeypatch):
    monkeypatch.setenv("TRITON_FACTORY_DEBUG", "1")
    done = _output()
    for word in ("printed", "logged", "written", "from a child"):
        assert word in done.stdout
    assert "complained" in done.stderr

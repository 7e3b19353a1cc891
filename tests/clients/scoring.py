"""`score` as a process."""

import contextlib
import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from triton_image_client.score import main

from utils import ROOT

# Marks of the journal come more often than once a second, so that a short run has several.
CODE = "import triton_image_client.score.main as score; score.MARK_SECONDS = 0.2; score.console()"
COMMAND = [sys.executable, "-c", CODE]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": f"{ROOT}/clients/python"}


def score(*arguments: object, stdin: bytes | None = None, check: bool = True) -> "subprocess.CompletedProcess[bytes]":
    """The finished process, with bytes as output. `check`: it must exit with 0."""
    command = [*COMMAND, *map(str, arguments)]
    done = subprocess.run(command, input=stdin, capture_output=True, timeout=300, check=False, env=environment())
    assert not check or done.returncode == 0, done.stderr.decode()
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    return done


def score_here(*arguments: object, check: bool = True) -> tuple[int, str]:
    """(exit code, stderr) of `score` in this process, which has everything imported already."""
    errors = io.StringIO()
    with contextlib.redirect_stderr(errors):
        code = main.main([str(each) for each in arguments])
    assert not check or code == 0, errors.getvalue()
    return code, errors.getvalue()


def killed_at(rows: int, output: Path, *arguments: object) -> int:
    """Starts a run and kills it with SIGKILL when its journal has `rows` rows; the rows of the journal then."""
    journal = output.with_name(f"{output.name}.journal")
    process = subprocess.Popen([*COMMAND, *map(str, arguments)], stderr=subprocess.PIPE, env=environment())
    assert process.stderr
    done = 0
    try:
        while process.poll() is None:
            lines = journal.read_bytes().split(b"\n")[1:-1] if journal.exists() else []
            done = int(json.loads(lines[-1])["rows"]) if lines else 0
            if done >= rows:
                break
            time.sleep(0.01)
        assert process.poll() is None, process.stderr.read().decode()
    finally:
        process.kill()
        process.wait()
        process.stderr.close()
    return done

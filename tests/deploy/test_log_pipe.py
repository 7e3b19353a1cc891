"""The pipe that turns all output of the container into JSON, in a separate process."""

import json
import os
import subprocess
import sys
import time

from deploy.supervisor.log_pipe import MAX_LINE_BYTES, split
from utils import ROOT

START = """
import os, subprocess, sys, time
sys.path.insert(0, {folder!r})
from supervisor import log_pipe
log_pipe.MAX_QUEUE_BYTES = 100_000
pipe = log_pipe.LogPipe()
{body}
pipe.close()
"""


def start(body):
    code = START.format(folder=str(ROOT / "deploy"), body=body)
    return subprocess.Popen([sys.executable, "-I", "-S", "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def lines(body):
    output, errors = start(body).communicate(timeout=30)
    assert errors == b""
    return [json.loads(line) for line in output.splitlines()]


def test_nothing_is_lost_and_everything_is_json_on_stdout():
    """Output and errors of this process and of a child, lines of requests as they are, an unfinished last line."""
    found = lines(
        "subprocess.run(['sh', '-c', 'seq 500; echo error >&2'])\n"
        "pipe.put('warning', 'ours')\n"
        'os.write(pipe.requests, b\'{"id":"a"}\\n\')\n'
        "os.write(2, b'not finished')\n"
    )
    printed = [each["message"] for each in found if each.get("source") == "output"]
    assert printed == [*map(str, range(1, 501)), "error", "not finished"]
    assert {"id": "a"} in found
    assert [each["level"] for each in found if each.get("source") == "supervisor"] == ["warning"]


def test_a_slow_reader_blocks_no_process_and_lost_lines_are_counted():
    """The queue is smaller than the output, and nobody reads until all is written."""
    count = 40_000
    process = start(f"subprocess.run(['seq', '{count}']); time.sleep(3); print('end', flush=True); time.sleep(1)")
    time.sleep(2)  # more than the child takes
    assert process.stdout is not None
    output = process.stdout.read()
    assert process.wait(30) == 0
    found = [json.loads(line) for line in output.splitlines()]
    printed = [each for each in found if each["source"] == "output"]
    dropped = [int(each["message"].split()[0]) for each in found if each["source"] == "supervisor"]
    assert 0 < len(printed) < count
    assert len(printed) + sum(dropped) == count + 1


def test_long_lines_become_several():
    assert split(b"a\n\nb") == ([b"a"], b"b")
    long = b"x" * (MAX_LINE_BYTES + 1)
    assert split(long + b"\n") == ([b"x" * MAX_LINE_BYTES, b"x"], b"")
    assert split(long) == ([b"x" * MAX_LINE_BYTES, b"x"], b"")


def test_a_log_that_nobody_reads_ends_no_process():
    process = start("subprocess.run(['seq', '9']); time.sleep(0.3); print('on', flush=True)")
    assert process.stdout is not None
    process.stdout.close()
    assert process.wait(30) == 0


def test_the_end_does_not_wait_for_a_process_that_keeps_the_pipe():
    started = time.monotonic()
    process = start("child = subprocess.Popen(['sleep', '20']); print(child.pid, flush=True)")
    assert process.stdout is not None
    child = int(json.loads(process.stdout.readline())["message"])
    assert process.wait(30) == 0 and time.monotonic() - started < 10
    os.kill(child, 9)

"""Collects the output of all processes of the container, and writes it as JSON to stdout (TRITON_LOG_FORMAT=json).

Two threads: one reads the pipes at once, so that no process waits for its log, one writes. Between them is a bounded
queue. If the reader of the container's log is so slow that the queue is full, lines are dropped and counted.
"""

import os
import select
import signal
import threading
from collections import deque

from . import json_lines

# A longer line becomes several. Docker cuts lines at 16 KiB.
MAX_LINE_BYTES = 8 * 1024
MAX_QUEUE_BYTES = 8 * 1024 * 1024
READ_BYTES = 64 * 1024
# At the end: for processes that still have the pipe, and for the reader of the log.
END_SECONDS = 2.0


class LogPipe:
    """Replaces the standard output and error of this process, which its children inherit, by a pipe.

    `requests` is the file descriptor for lines that are JSON already: the guard's request lines.
    """

    def __init__(self) -> None:
        self._output = os.dup(1)
        self._raw, write = os.pipe()
        for number in (1, 2):
            os.dup2(write, number)
        os.close(write)
        self._ready, self.requests = os.pipe()
        self._queue: deque[bytes] = deque()
        self._queued = self._dropped = 0
        self._has_ended = False
        self._changed = threading.Condition()
        self._threads = [threading.Thread(target=target, daemon=True) for target in (self._read, self._write)]
        for thread in self._threads:
            thread.start()

    def put(self, level: str, text: str) -> None:
        """A line of the supervisor."""
        self._put(json_lines.line(level, "supervisor", text))

    def close(self) -> None:
        """Writes what is left, for at most END_SECONDS after the processes ended; restores stdout and stderr."""
        for number in (1, 2):
            os.dup2(self._output, number)
        os.close(self.requests)
        self._threads[0].join(END_SECONDS)
        with self._changed:
            self._has_ended = True
            self._changed.notify()
        self._threads[1].join(END_SECONDS)

    def _put(self, lines: bytes) -> None:
        with self._changed:
            if self._queued >= MAX_QUEUE_BYTES:
                self._dropped += lines.count(b"\n")
                return
            if self._dropped:
                note = f"{self._dropped} lines of the log were dropped, because its reader is too slow"
                self._dropped = 0
                lines = json_lines.line("warning", "supervisor", note) + lines
            self._queue.append(lines)
            self._queued += len(lines)
            self._changed.notify()

    def _read(self) -> None:
        _block_signals()
        poll, rest = select.poll(), {self._raw: b"", self._ready: b""}
        for number in rest:
            poll.register(number, select.POLLIN)
        while rest:
            for number, _ in poll.poll():
                content = os.read(number, READ_BYTES)
                lines, left = split(rest.pop(number) + (content or b"\n"))
                if content:
                    rest[number] = left
                else:
                    poll.unregister(number)
                if lines:
                    is_raw = number == self._raw
                    self._put(b"".join(json_lines.converted(each) if is_raw else each + b"\n" for each in lines))

    def _write(self) -> None:
        _block_signals()
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue or self._has_ended)
                if not self._queue:
                    return
                lines = self._queue.popleft()
                self._queued -= len(lines)
            try:
                while lines:
                    lines = lines[os.write(self._output, lines) :]
            except OSError:
                pass  # nobody reads the log: the server continues


def split(content: bytes) -> tuple[list[bytes], bytes]:
    """Complete lines without their newline, and the rest. Empty lines are left out, long ones become several."""
    *lines, rest = content.split(b"\n")
    if len(rest) > MAX_LINE_BYTES:
        lines, rest = [*lines, rest], b""
    return [each[at : at + MAX_LINE_BYTES] for each in lines for at in range(0, len(each), MAX_LINE_BYTES)], rest


def _block_signals() -> None:
    """Signals are the main thread's: it waits for them."""
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())

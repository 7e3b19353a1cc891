"""The guard's log: one line of JSON for each inference request (docs/observe.md)."""

import contextlib
import json
import os
import re
import time
from collections.abc import Sequence
from typing import Any

from .http_messages import bad
from .json_lines import line
from .log import log
from .request import Request

# The header that numbers a request for the models.
NUMBER = "guard-request"
# Triton passes these headers on to each step as parameters: over HTTP for /infer only, and over gRPC, which does not
# pass the guard.
FORWARD_FLAGS = {
    "http-header-forward-pattern": f"^{NUMBER}$",
    "grpc-header-forward-pattern": "^(user-agent|x-request-id)$",
}
# The models' environment variable that names the pipe for their reports: model_repository/shared/step_responses.py.
VARIABLE = "TRITON_STEP_TIMES"
# The X-Request-Id of the canary's requests, which are not logged.
CANARY = b"canary"
# The connection ended before the response was complete.
LEFT = 499
_INFERENCE = re.compile(
    rb"[A-Z]+ [^? ]*?/v2/models/([^/? ]{1,256})[^/? ]*(?:/versions/([^/? ]{1,20}))?"
    rb"/(?:infer|generate|generate_stream)[? ]"
)
_VERSION = re.compile(rb'"model_version":"([0-9]+)"')
_ROWS = re.compile(rb'"shape":\[([0-9]+)')
_MAX_PENDING_BYTES = 1024 * 1024
_READ_BYTES = 64 * 1024


def times_pipe() -> str:
    """Makes the pipe for the steps' reports, in the folder that is writable in a container; "" if that fails."""
    path = f"/tmp/triton-step-times-{os.getpid()}"
    try:
        if os.path.exists(path):  # noqa: PTH110 - of an earlier run that was killed, with the same process id
            os.unlink(path)  # noqa: PTH108
        os.mkfifo(path, 0o600)
    except OSError as error:
        log(f"{path} cannot be made ({error.strerror}); the request log has no times of the models", "warning")
        return ""
    return path


class RequestLog:
    """Writes to the file descriptor `output`, and never waits for it. `times`: a path, the pipe for the steps' reports.

    Without `times`, a line has no times of the queue and the models.
    """

    def __init__(self, output: int, times: str) -> None:
        os.set_blocking(output, False)
        self._output, self._pending, self._dropped = output, bytearray(), 0
        # Open for writing as well: the steps open it later, and a pipe without a writer ends.
        self._times = os.open(times, os.O_RDWR | os.O_NONBLOCK) if times else None
        self._part = b""
        self._count = 0
        self._open: dict[int, Request] = {}

    def numbered(self, request: Request, content: bytes) -> bytes:
        """`content`, which begins with the request's head, with a number if it is an inference request."""
        if self._times is None or not _INFERENCE.match(request.head):
            return content
        if f"\r\n{NUMBER}:".encode() in request.head:
            raise bad(f"the header {NUMBER} belongs to the server; leave it out")
        self._count += 1
        request.number, end = self._count, len(request.head) - 2
        self._open[request.number] = request
        return b"%s%s: %d\r\n%s" % (content[:end], NUMBER.encode(), request.number, content[end:])

    def add(self, request: Request, status: int, *, start: bytes = b"", reason: str = "", is_local: bool) -> None:
        """Logs an inference request, or any other with a mistake. `start`: of the response's body.

        `is_local`: the client has a loopback address.
        """
        self._read_times()
        self._open.pop(request.number, None)
        found = _INFERENCE.match(request.head)
        if not (found or (reason and status < 500)) or (is_local and request.id.header == CANARY):
            return
        model, version = found.groups() if found else (None, None)
        served, rows = _VERSION.search(start), _ROWS.search(start) if status < 400 else None
        self._write(
            {
                "message": reason or "inference",
                "protocol": "http",
                **_ids(request),
                "model": _text(model),
                "version": _text(served[1] if served else version),
                "rows": int(rows[1]) if rows and request.rows is None else request.rows,
                "status": status,
                "bytes_in": request.body_bytes,
                "total_ms": _ms(request.began, time.monotonic()),
                "queue_ms": _ms(request.sent, request.first_step),
                "compute_ms": _ms(request.first_step, request.last_step),
            }
        )

    def _read_times(self) -> None:
        """Reads the steps' reports. Number 0: the request came over gRPC, and each step makes a line."""
        try:
            content = os.read(self._times, _READ_BYTES) if self._times is not None else b""
        except BlockingIOError:
            return
        *reports, self._part = (self._part + content).split(b"\n")
        for report in reports:
            with contextlib.suppress(ValueError):  # a part of a report, if the pipe was full
                self._take(json.loads(report))

    def _take(self, report: Sequence[Any]) -> None:
        number, began, ended, rows, *about = report
        if request := self._open.get(number):
            request.first_step, request.last_step = request.first_step or began, ended
            request.rows = rows if request.rows is None else request.rows
        elif not number:
            status, model, version, request_id = about
            named = {"id": request_id or None, "model": model, "version": version, "rows": rows, "status": status}
            times = {"bytes_in": None, "total_ms": None, "queue_ms": None, "compute_ms": _ms(began, ended)}
            self._write({"message": "inference", "protocol": "grpc", **named, **times})

    def _write(self, record: dict[str, Any]) -> None:
        level = "error" if record["status"] >= 500 else "warning" if record["status"] >= 400 else "info"
        if len(self._pending) < _MAX_PENDING_BYTES:
            self._pending += line(level, "request", **record)
        else:
            self._dropped += 1

    def flush(self) -> None:
        """Call it often: reads the steps' reports, writes what the reader of the log accepts, and keeps the rest."""
        self._read_times()
        if not self._pending:
            return
        try:
            del self._pending[: os.write(self._output, self._pending)]
        except OSError:
            return
        if self._dropped:
            note, self._dropped = f"{self._dropped} request lines were dropped, because the log is too slow", 0
            self._pending += line("warning", "guard", note)


def _ids(request: Request) -> dict[str, str]:
    """V2's id if there is one. The header is shown too if it differs."""
    header = request.id.header.decode()
    return {
        "id": request.id.own or header,
        **({"x_request_id": header} if request.id.own not in ("", header) else {}),
    }


def _text(name: bytes | None) -> str | None:
    return name.decode("ascii", "replace") if name is not None else None


def _ms(since: float, until: float) -> float | None:
    """Milliseconds between two times (time.monotonic()); None if either is unknown (0)."""
    return round((until - since) * 1000, 3) if since and until else None

"""Starts Triton, lets clients to it when it is proven, watches it, drains it. docs/operations.md tells what to do."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import signal
import time
from collections.abc import Sequence

from . import backlog, guard, known_faults, launch, processes, settings
from .errors import Fault, SettingError
from .gate import BYPASS, Gate
from .log import say
from .server import Server
from .settings import Settings

LOOK = 0.25
# No request completed and no processor time used for so long: nothing works in there.
IDLE_SECONDS = 10.0
IDLE_LOAD = 0.1
# A row of the largest batch may take so many times what the small row of the canary takes.
LONGEST_ROW = 64
# What is in flight was answered before; after this, idle connections are all that Triton waits for.
STOP_SECONDS = 1.5
QUIET_SECONDS = 0.2


def main(program: str, words: Sequence[str], serving: str) -> int:
    """Runs the tritonserver `program` with the flags in `words` until a signal or a fault.

    0: drained; 1: a fault; 2: a wrong setting or flag.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGINT, signal.SIGCHLD])
    try:
        return Supervisor(launch.read(program, words, os.environ), serving).run()
    except SettingError as error:
        say(str(error))
        return 2
    except Fault as fault:
        say(f"{fault}; ending, so that a restart policy starts it anew")
        return 1


class Supervisor:
    """One run of one server. Raises Fault."""

    def __init__(self, start: launch.Launch, serving: str) -> None:
        golden = os.path.join(serving, "golden.json")  # noqa: PTH118
        launch.check_models(start.repositories, golden)
        self._settings = wanted = start.settings
        self._gate = _gate(wanted)
        release = known_faults.release_of(os.environ, start.program)
        place = _place(wanted, release) if known_faults.needs_guard(wanted.guard, release) else None
        self._ports = [*wanted.ports, *([place.upstream[1]] if place else [])]
        command = start.command(place, gated=bool(self._gate))
        self._backlog = backlog.Backlog(wanted.metrics_port, backlog.place())
        environment = {**settings.without_secrets(os.environ), backlog.VARIABLE: self._backlog.file}
        self._server = Server(command, environment)
        if place:
            self._server.start_guard(place)
        self._port_file = settings.port_file(serving)
        _write(self._port_file, str(wanted.http_port))
        # Imported now, while Triton loads.
        from . import canary, pulse

        try:
            ours = canary.load(golden, wanted.http_port, BYPASS if self._gate else "")
        except (OSError, ValueError, KeyError, TypeError) as error:
            self._server.end()
            raise Fault(f"no canary: {error!r}; build the image anew") from error
        self._pulse = pulse.Pulse(ours, wanted.metrics_port)
        self._largest_batch = _largest_batch(start.repositories, ours.rows[0].model)

    def run(self) -> int:
        """The exit code."""
        self._pulse.start()
        try:
            if not self._watch(until_ready=True):
                say("stopped before it was ready")
                return 0
            if self._gate:
                self._gate.open()
            say(f"ready: golden answers are right, the last of them in {self._pulse.seconds:.3f} s")
            self._backlog.start()
            self._watch(until_ready=False)
            return self._drain()
        finally:
            if self._gate:
                self._gate.close()
            self._server.end()
            self._backlog.end()
            _remove(self._port_file)

    def _watch(self, *, until_ready: bool) -> bool:
        """Returns True when ready, where that is waited for, and False after a signal. Raises Fault."""
        deadline = time.monotonic() + self._settings.start_seconds
        looked, sign, used = time.monotonic(), 0.0, 0.0
        while True:
            caught = signal.sigtimedwait([signal.SIGTERM, signal.SIGINT, signal.SIGCHLD], 0.02 if until_ready else LOOK)
            self._server.look()
            if caught and caught.si_signo != signal.SIGCHLD:
                return False
            harm = self._server.harm(is_ready=not until_ready) or self._pulse.fault
            if harm:
                raise Fault(harm)
            if until_ready and self._pulse.is_ready:
                return True
            now = time.monotonic()
            if until_ready and now > deadline:
                raise Fault(f"not ready within {self._settings.start_seconds:g} s (TRITON_START_SECONDS)")
            if now - looked > 4 * LOOK:  # we did not run either: the machine slept, or the container was paused
                self._pulse.sign = now
            if sign != self._pulse.sign:
                sign, used = self._pulse.sign, self._server.seconds_used()
            if not until_ready and now - sign > self._patience(self._server.seconds_used() - used, now - sign):
                raise Fault(f"no request was completed for {now - sign:.0f} s: the server hangs")
            looked = now

    def _patience(self, used: float, seconds: float) -> float:
        """How long the server may complete nothing: longer while it computes, for a large batch takes its time.

        Without clients the canary's answers are all there is, and they come every `period`.
        """
        rest = self._pulse.added_rest
        if self._settings.hang_seconds:
            return self._settings.hang_seconds + rest
        if used < IDLE_LOAD * seconds:
            return IDLE_SECONDS + rest
        return max(IDLE_SECONDS, LONGEST_ROW * self._largest_batch * self._pulse.seconds) + rest

    def _drain(self) -> int:
        """New connections are refused, requests in flight answered, and only then Triton is told to end."""
        say("draining")
        deadline = time.monotonic() + self._settings.drain_seconds
        if self._gate:
            self._gate.close()
        is_quiet = self._answered_all(deadline)
        self._server.terminate(STOP_SECONDS)
        if is_quiet:
            say("drained")
            return 0
        say(f"requests were still coming after {self._settings.drain_seconds:g} s (TRITON_DRAIN_SECONDS)")
        return 1

    def _answered_all(self, deadline: float) -> bool:
        """True when nothing is in flight: the queues are first in, first out, so a canary comes last.

        Then, for a while, nothing unread may lie on the ports, no thread may have work and no processor time be used;
        and at its end no request may wait in a queue.
        """
        quiet_since, used, is_through = time.monotonic(), -1.0, False
        while time.monotonic() < deadline:
            is_through = is_through or self._is_through(deadline)
            time.sleep(0.02)
            self._server.look()
            still = is_through and self._server.seconds_used() == used and not self._server.works()
            if not still or processes.waiting_bytes(self._ports):
                quiet_since, used = time.monotonic(), self._server.seconds_used()
            elif time.monotonic() - quiet_since >= QUIET_SECONDS and self._backlog.is_empty():
                return True
        return False

    def _is_through(self, deadline: float) -> bool:
        from .canary import NoAnswerError, WrongAnswerError

        try:
            self._pulse.canary.ask(self._pulse.canary.rows[0], max(0.1, deadline - time.monotonic()))
        except WrongAnswerError:
            return True  # an answer all the same
        except NoAnswerError:
            return False
        return True


def _gate(wanted: Settings) -> Gate | None:
    """None, and said so, on a kernel that has no such thing; Fault for a taken port."""
    http, grpc = (wanted.http_address, wanted.http_port), (wanted.grpc_address, wanted.grpc_port)
    try:
        return Gate(http, grpc if wanted.grpc else None)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            ports = f"TRITON_HTTP_PORT {wanted.http_port}"
            ports += f" or TRITON_GRPC_PORT {wanted.grpc_port}" if wanted.grpc else ""
            raise Fault(f"Address already in use: {ports}") from error
        say(f"this kernel cannot hold clients back before the canary ({error}): probe with the HEALTHCHECK's command")
        return None


def _place(wanted: Settings, release: str) -> guard.Place:
    """Of a guard; Fault for a taken port."""
    say(f"a guard is before Triton: it refuses request bodies above {wanted.max_input_bytes} bytes")
    if wanted.guard == "auto":
        names = "; ".join(fault.name for fault in known_faults.harmful(release))
        say(f"TRITON_GUARD=auto starts the guard for release {release or 'unknown'}: {names}")
    try:
        return guard.Place(wanted.http_address, wanted.http_port, known_faults.rules(wanted, release))
    except OSError as error:
        raise Fault(f"{error.strerror}: TRITON_HTTP_PORT {wanted.http_port}") from error


def _write(path: str, text: str) -> None:
    """Best effort: without it, the health check goes by the environment."""
    with contextlib.suppress(OSError), open(path, "w", encoding="utf-8") as file:  # noqa: PTH123
        file.write(text)


def _remove(path: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(path)  # noqa: PTH108


def _largest_batch(repositories: Sequence[str], model: str) -> int:
    """max_batch_size of the model the canary asks; 1 where its config does not say, or is behind a URL."""
    for repository in repositories:
        with contextlib.suppress(OSError):
            with open(os.path.join(repository, model, "config.pbtxt"), encoding="utf-8") as config:  # noqa: PTH118, PTH123
                sizes = re.findall(r"(?m)^\s*max_batch_size\s*:\s*([0-9]+)", config.read())
            return max(1, *map(int, sizes)) if sizes else 1
    return 1

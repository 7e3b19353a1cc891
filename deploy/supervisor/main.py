"""Starts Triton, admits clients when the canary has passed, watches it and drains it (docs/operations.md)."""

import contextlib
import errno
import os
import re
import signal
import time
from collections.abc import Sequence
from dataclasses import replace

from . import (
    api_process,
    backlog,
    guard,
    guard_processes,
    instances,
    launch,
    processes,
    release,
    request_log,
    settings,
    try_page,
)
from .errors import Fault, SettingError
from .gate import BYPASS, Gate
from .log import log
from .server import Server
from .settings import Settings

POLL_SECONDS = 0.25
# If no request completes and no processor time is used for this long, the server hangs.
IDLE_SECONDS = 10.0
IDLE_LOAD = 0.1
# A row of the largest batch may take this many times as long as the canary's small row.
LONGEST_ROW = 64
# After draining, Triton only waits for idle connections; it gets this long.
STOP_SECONDS = 1.5
QUIET_SECONDS = 0.2


def main(program: str, arguments: Sequence[str], serving: str, output: int | None = None) -> int:
    """Runs the tritonserver `program` with the flags in `arguments` until a signal or a fault.

    `output`: the file descriptor for the lines of requests as JSON; None: they are not logged.
    Exit code 0: drained; 1: a fault; 2: a wrong setting or flag.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGINT, signal.SIGCHLD])
    try:
        return Supervisor(launch.read(program, arguments, os.environ), serving, output).run()
    except SettingError as error:
        log(str(error), "error")
        return 2
    except Fault as fault:
        log(f"{fault}; exiting so that a restart policy can restart the server", "error")
        return 1


class Supervisor:
    """One run of one server. Raises Fault."""

    def __init__(self, start: launch.Launch, serving: str, output: int | None) -> None:
        golden = os.path.join(serving, "golden.json")  # noqa: PTH118
        launch.check_models(start.repositories, golden)
        self._api = api_process.of_image(serving, start.repositories, start.settings, os.environ)
        if self._api:
            start = replace(start, settings=self._api.limits)
        self._settings = start.settings
        self._instances = instances.Instances(start.repositories, start.settings.instances)
        if self._instances.repositories != start.repositories:
            start = start.serving(self._instances.repositories)
        self._gate = _gate(start.settings)
        page = page_files(serving) if start.settings.try_page else None
        place = _guard_place(start.settings, release.release_of(os.environ, start.program), page)
        self._api_socket = self._api and self._api.listen()
        self._ports = [*start.settings.ports, *([place.upstream[1]] if place else [])]
        command = start.command(place, gated=bool(self._gate))
        self._backlog = backlog.Backlog(start.settings.metrics_port, backlog.refusal_file())
        environment = {**settings.without_secrets(os.environ), backlog.VARIABLE: self._backlog.file}
        self._times = request_log.times_pipe() if place and output is not None else ""
        self._server = Server(command, {**environment, request_log.VARIABLE: self._times})
        if place:
            self._server.start_guard(place, output, self._times)
        elif output is not None:
            log("TRITON_GUARD=never: requests are not logged, because the guard logs them", "warning")
        self._port_file = settings.port_file(serving)
        _write(self._port_file, str(start.settings.http_port))
        # Imported here, while Triton loads.
        from . import canary, pulse

        try:
            requests = canary.load(golden, start.settings.http_port, BYPASS if self._gate else "")
        except (OSError, ValueError, KeyError, TypeError) as error:
            self._server.close()
            raise Fault(f"the canary's golden.json cannot be used: {error!r}; rebuild the image") from error
        self._max_batch_size = _max_batch_size(start.repositories, requests.rows[0].model)
        self._pulse = pulse.Pulse(requests, start.settings.metrics_port, self._max_batch_size)

    def run(self) -> int:
        """Returns the exit code."""
        self._pulse.start()
        try:
            if not self._watch(until_ready=True):
                log("stopped before the server was ready")
                return 0
            if self._gate:
                self._gate.open()
            if self._api and self._api_socket:
                self._api_socket.listen(api_process.BACKLOG)
                self._server.start_api(self._api, self._api_socket)
            log(f"ready: the golden answers are right; the last one took {self._pulse.idle_seconds:.3f} s")
            self._backlog.start()
            self._watch(until_ready=False)
            return self._drain()
        finally:
            if self._gate:
                self._gate.close()
            self._server.close()
            self._backlog.stop_refusing()
            self._instances.close()
            _remove(self._port_file)
            _remove(self._times)

    def _watch(self, *, until_ready: bool) -> bool:
        """Returns True when the server is ready, if `until_ready`, and False after a signal. Raises Fault."""
        deadline = time.monotonic() + self._settings.start_seconds
        last_check, last_success, cpu_seconds = time.monotonic(), 0.0, 0.0
        while True:
            signals = [signal.SIGTERM, signal.SIGINT, signal.SIGCHLD]
            caught = signal.sigtimedwait(signals, 0.02 if until_ready else POLL_SECONDS)
            self._server.update()
            if caught and caught.si_signo != signal.SIGCHLD:
                return False
            fault = self._server.fault(is_ready=not until_ready) or self._pulse.fault
            if fault:
                raise Fault(fault)
            if until_ready and self._pulse.is_ready:
                return True
            now = time.monotonic()
            if until_ready and now > deadline:
                raise Fault(f"not ready within {self._settings.start_seconds:g} s (TRITON_START_SECONDS)")
            if now - last_check > 4 * POLL_SECONDS:  # the machine slept, or the container was paused
                self._pulse.last_success = now
            if last_success != self._pulse.last_success:
                last_success, cpu_seconds = self._pulse.last_success, self._server.cpu_seconds()
            silence = now - last_success
            if not until_ready and silence > self._max_silence(self._server.cpu_seconds() - cpu_seconds, silence):
                raise Fault(f"no request was completed for {silence:.0f} s: the server hangs")
            last_check = now

    def _max_silence(self, cpu_seconds: float, silence: float) -> float:
        """Seconds that the server may complete nothing: more if it computes, because a large batch takes long.

        Without clients only the canary's requests complete, one every `period`.
        """
        extra = self._pulse.extra_period
        if self._settings.hang_seconds:
            return self._settings.hang_seconds + extra
        if cpu_seconds < IDLE_LOAD * silence:
            return IDLE_SECONDS + extra
        return max(IDLE_SECONDS, LONGEST_ROW * self._max_batch_size * self._pulse.idle_seconds) + extra

    def _drain(self) -> int:
        """Refuses new connections, waits until all requests are answered, and then terminates Triton."""
        log("draining")
        deadline = time.monotonic() + self._settings.drain_seconds
        if self._gate:
            self._gate.close()
        is_quiet = self._server.drain_api(deadline) and self._answered_all(deadline)
        self._server.terminate(STOP_SECONDS)
        if is_quiet:
            log("drained")
            return 0
        log(f"requests were still arriving after {self._settings.drain_seconds:g} s (TRITON_DRAIN_SECONDS)", "error")
        return 1

    def _answered_all(self, deadline: float) -> bool:
        """True when no request is in flight.

        Triton's queues are first in, first out, so a completed canary request shows that earlier ones are done. Then,
        for QUIET_SECONDS, the ports must have no unread bytes, no thread may be runnable, no processor time may be
        used, and at the end no request may be queued.
        """
        quiet_since, cpu_seconds, canary_done = time.monotonic(), -1.0, False
        while time.monotonic() < deadline:
            canary_done = canary_done or self._canary_completes(deadline)
            time.sleep(0.02)
            self._server.update()
            is_idle = self._server.cpu_seconds() == cpu_seconds and not self._server.has_runnable_thread()
            if not (canary_done and is_idle) or processes.unread_bytes(self._ports):
                quiet_since, cpu_seconds = time.monotonic(), self._server.cpu_seconds()
            elif time.monotonic() - quiet_since >= QUIET_SECONDS and self._backlog.is_empty():
                return True
        return False

    def _canary_completes(self, deadline: float) -> bool:
        from .canary import NoAnswerError, WrongAnswerError

        try:
            self._pulse.canary.check(self._pulse.canary.rows[0], max(0.1, deadline - time.monotonic()))
        except WrongAnswerError:
            return True  # an answer nevertheless
        except NoAnswerError:
            return False
        return True


def _gate(limits: Settings) -> Gate | None:
    """None, with a log line, on a kernel without SO_REUSEPORT programs. Raises Fault for a port in use."""
    http, grpc = (limits.http_address, limits.http_port), (limits.grpc_address, limits.grpc_port)
    try:
        return Gate(http, grpc if limits.grpc else None)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            ports = f"TRITON_HTTP_PORT {limits.http_port}"
            ports += f" or TRITON_GRPC_PORT {limits.grpc_port}" if limits.grpc else ""
            raise Fault(f"Address already in use: {ports}") from error
        log(f"this kernel cannot hold clients back until the canary passes ({error}): use the HEALTHCHECK's command")
        return None


def page_files(serving: str) -> tuple[str, str]:
    """The folder and the data of the try-it page. Raises SettingError if the image has none."""
    folder, data = (os.path.join(serving, name) for name in (try_page.FOLDER, try_page.DATA))  # noqa: PTH118
    if not os.path.isfile(data):  # noqa: PTH113
        raise SettingError(
            f"{settings.TRY_PAGE} is true, but the image has no {data}; rebuild it, or unset the setting"
        )
    log("try-it page enabled: open /try/ at the HTTP port in a browser")
    return folder, data


def _guard_place(limits: Settings, triton_release: str, page: tuple[str, str] | None) -> guard.Place | None:
    """None if the guard is disabled. Raises Fault for a port in use, and SettingError."""
    if not limits.is_guarded:
        return None
    number = guard_processes.number(limits.guard_processes, has_json_log=limits.has_json_log)
    log(
        f"request guard enabled: rejects bodies that would crash Triton or exceed {limits.max_input_bytes} bytes "
        f"(processes: {number})"
    )
    try:
        rules = release.rules(limits, triton_release)
        return guard.Place(limits.http_address, limits.http_port, rules, page, processes=number)
    except OSError as error:
        raise Fault(f"{error.strerror}: TRITON_HTTP_PORT {limits.http_port}") from error


def _write(path: str, text: str) -> None:
    """Best effort: without the file, the health check uses the environment."""
    with contextlib.suppress(OSError), open(path, "w", encoding="utf-8") as file:  # noqa: PTH123
        file.write(text)


def _remove(path: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(path)  # noqa: PTH108


def _max_batch_size(repositories: Sequence[str], model: str) -> int:
    """The max_batch_size of the canary's model; 1 if its config does not set it, or is behind a URL."""
    config = next(filter(None, (instances.config_of(each, model) for each in repositories)), "")
    sizes = re.findall(r"(?m)^\s*max_batch_size\s*:\s*([0-9]+)", config)
    return max([1, *map(int, sizes)])

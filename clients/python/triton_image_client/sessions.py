"""Sends the calls of generators (models.py), with retries and several requests in flight: for threads, for asyncio."""

import asyncio
import random
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Generic, TypeVar

from triton_image_client import models
from triton_image_client.calls import Call
from triton_image_client.errors import ClientError, UnavailableError
from triton_image_client.models import Model, Row, Steps
from triton_image_client.settings import Settings
from triton_image_client.tasks import Task
from triton_image_client.transports import AsyncTransport, Transport, connect, connect_async

Value = TypeVar("Value")
Result = TypeVar("Result")
Parameters = Mapping[str, str | int]
# Between two attempts at a request.
FIRST_SECONDS, MOST_SECONDS = 0.1, 5.0


def _parts(model: Model[Any], rows: Sequence[Row]) -> list[Sequence[Row]]:
    size = model.limit or models.ROWS
    return [rows[place : place + size] for place in range(0, len(rows), size)]


class Attempts:
    """Of one request: exponential backoff with jitter, at least what Retry-After says, until the deadline."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds
        self._count = 0
        self._last: UnavailableError | None = None

    @property
    def remaining(self) -> float:
        """Seconds until the deadline."""
        return max(0.001, self._end - time.monotonic())

    def wait_after(self, error: UnavailableError) -> float:
        """Seconds to wait before the next attempt. Raises the last reason if the deadline would be over then.

        The reason is `error`, or the error before it if the deadline ended this attempt: it may have had milliseconds.
        """
        self._count += 1
        backoff = min(MOST_SECONDS, FIRST_SECONDS * 2.0 ** min(self._count - 1, 10)) * random.uniform(0.5, 1.0)
        seconds, now = max(backoff, error.retry_after), time.monotonic()
        if now + seconds < self._end:
            self._last = error
            return seconds
        reason = self._last if self._last and now >= self._end else error
        reason.attempts = self._count
        raise reason


class Session(Generic[Value]):
    """One model of a server, for any number of threads. Connects with the first request."""

    def __init__(self, task: Task[Value], settings: Settings) -> None:
        self.task, self.settings = task, settings
        self._lock = threading.RLock()
        self._model: Model[Value] | None = None
        self._transport: Transport | None = None
        self._pool: ThreadPoolExecutor | None = None

    def model(self) -> Model[Value]:
        """The served model; asks the server once."""
        with self._lock:
            if self._model is None:
                self._model = self._run(models.find(self.task, self.settings))
            return self._model

    def answers(self, rows: Sequence[Row], parameters: Parameters) -> list[Value]:
        """One value for each row, in their order. Requests have at most the rows that the server takes."""
        values: list[Value] = []
        if self.model().limit is None and len(rows) > 1:  # a refusal of the first request tells the limit
            values, rows = self.in_turn(rows[: models.ROWS], parameters), rows[models.ROWS :]
        parts = _parts(self.model(), rows)
        if len(parts) < 2:
            return values + [value for part in parts for value in self.in_turn(part, parameters)]
        with self._lock:
            self._pool = self._pool or ThreadPoolExecutor(self.settings.in_flight, "triton-image-client")
        futures = [self._pool.submit(self.in_turn, part, parameters) for part in parts]
        try:
            return values + [value for future in futures for value in future.result()]
        finally:
            for future in futures:
                future.cancel()

    def in_turn(self, rows: Sequence[Row], parameters: Parameters) -> list[Value]:
        """As `answers`, with one request after the other, in this thread."""
        model, values = self._run(models.answers(self.model(), rows, parameters))
        if model.limit is not None:
            self._model = model
        return values

    def _run(self, steps: Steps[Result]) -> Result:
        try:
            call = next(steps)
            while True:
                try:
                    result = self._send(call)
                except ClientError as error:
                    call = steps.throw(error)
                else:
                    call = steps.send(result)
        except StopIteration as done:
            found: Result = done.value
            return found

    def _send(self, call: Call) -> Any:
        with self._lock:
            self._transport = self._transport or connect(self.settings)
        attempts = Attempts(self.settings.deadline)
        while True:
            try:
                return self._transport.send(call, attempts.remaining)
            except UnavailableError as error:
                seconds = attempts.wait_after(error)
            time.sleep(seconds)

    def close(self) -> None:
        """Ends the threads and closes the connections."""
        if self._pool:
            self._pool.shutdown(cancel_futures=True)
        if self._transport:
            self._transport.close()
        self._pool = self._transport = None


class AsyncSession(Generic[Value]):
    """Session for asyncio: one event loop."""

    def __init__(self, task: Task[Value], settings: Settings) -> None:
        self.task, self.settings = task, settings
        self._lock = asyncio.Lock()
        self._in_flight = asyncio.Semaphore(settings.in_flight)
        self._model: Model[Value] | None = None
        self._transport: AsyncTransport | None = None

    async def model(self) -> Model[Value]:
        """As Session.model."""
        async with self._lock:
            if self._model is None:
                self._model = await self._run(models.find(self.task, self.settings))
            return self._model

    async def answers(self, rows: Sequence[Row], parameters: Parameters) -> list[Value]:
        """As Session.answers."""
        values: list[Value] = []
        if (await self.model()).limit is None and len(rows) > 1:
            values, rows = await self._part(rows[: models.ROWS], parameters), rows[models.ROWS :]
        parts = _parts(await self.model(), rows)
        requests = [asyncio.ensure_future(self._part(part, parameters)) for part in parts]
        try:
            return values + [value for part in await asyncio.gather(*requests) for value in part]
        finally:
            for task in requests:
                task.cancel()

    async def _part(self, rows: Sequence[Row], parameters: Parameters) -> list[Value]:
        async with self._in_flight:
            model, values = await self._run(models.answers(await self.model(), rows, parameters))
        if model.limit is not None:
            self._model = model
        return values

    async def _run(self, steps: Steps[Result]) -> Result:
        try:
            call = next(steps)
            while True:
                try:
                    result = await self._send(call)
                except ClientError as error:
                    call = steps.throw(error)
                else:
                    call = steps.send(result)
        except StopIteration as done:
            found: Result = done.value
            return found

    async def _send(self, call: Call) -> Any:
        self._transport = self._transport or connect_async(self.settings)
        attempts = Attempts(self.settings.deadline)
        while True:
            try:
                return await self._transport.send(call, attempts.remaining)
            except UnavailableError as error:
                seconds = attempts.wait_after(error)
            await asyncio.sleep(seconds)

    async def close(self) -> None:
        """Closes the connections."""
        if self._transport:
            await self._transport.close()
        self._transport = None

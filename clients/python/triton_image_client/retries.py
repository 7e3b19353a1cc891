"""How long to wait before the next attempt, and when to give up."""

import random
import time

from triton_image_client.errors import UnavailableError

FIRST_SECONDS = 0.1
MOST_SECONDS = 5.0


class Attempts:
    """Of one request: exponential backoff with jitter, at least what Retry-After says, until the deadline."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds
        self._count = 0

    @property
    def remaining(self) -> float:
        """Seconds until the deadline."""
        return max(0.001, self._end - time.monotonic())

    def wait_after(self, error: UnavailableError) -> float:
        """Seconds to wait before the next attempt. Raises `error` if the deadline would be over then."""
        self._count += 1
        backoff = min(MOST_SECONDS, FIRST_SECONDS * 2.0 ** min(self._count - 1, 10)) * random.uniform(0.5, 1.0)
        seconds = max(backoff, error.retry_after)
        if time.monotonic() + seconds >= self._end:
            error.attempts = self._count
            raise error
        return seconds

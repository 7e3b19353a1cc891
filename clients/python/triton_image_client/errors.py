"""What can go wrong, as exceptions: ClientError is the base of all."""

import re

# Triton's refusal, all releases: "inference request batch-size must be <= 8 for 'topics'".
BATCH_LIMIT = re.compile(r"batch-size must be <= (\d+)")
# Over gRPC a restricted API is UNAVAILABLE with this word; it does not become available later.
RESTRICTED = "is restricted"


class ClientError(Exception):
    """Base of all errors of this package."""


class UsageError(ClientError, ValueError):
    """An argument is wrong. Nothing was sent."""


class ModelError(ClientError):
    """The server serves no model for this task, or several, or a tensor cannot be told from others."""


class ServerError(ClientError):
    """The server answered with an error.

    `said`: its own words. `status`: the HTTP status, such as 400, or the name of the gRPC code; None without an answer.
    """

    def __init__(self, said: str, *, status: int | str | None = None, retry_after: float = 0.0) -> None:
        super().__init__(f"{said} ({status})" if status else said)
        self.said, self.status, self.retry_after = said, status, retry_after


class BadRequestError(ServerError):
    """The request is wrong. The same request fails again."""


class BatchTooLargeError(BadRequestError):
    """The model takes at most `limit` rows in a request."""

    @property
    def limit(self) -> int:
        """From the server's words."""
        found = BATCH_LIMIT.search(self.said)
        assert found
        return int(found[1])


class NotFoundError(BadRequestError):
    """The server does not know the model or the path."""


class AccessError(BadRequestError):
    """The server wants a key or token, or refuses this one."""


class InternalError(ServerError):
    """The model or the server failed on this request. Other requests may work."""


class UnavailableError(ServerError):
    """No answer until the deadline: the server is overloaded, starts, ends, or cannot be reached. `attempts`: tries.

    `retry_after`: seconds that the server asked to wait.
    """

    attempts: int = 1

    def __str__(self) -> str:
        return f"{super().__str__()}; {self.attempts} attempts" if self.attempts > 1 else super().__str__()


# The statuses of HTTP and the codes of gRPC.
STATUSES: dict[type[ServerError], tuple[int | str, ...]] = {
    AccessError: (401, 403, "UNAUTHENTICATED", "PERMISSION_DENIED"),
    NotFoundError: (404, "NOT_FOUND"),
    UnavailableError: (408, 429, 502, 503, 504, "RESOURCE_EXHAUSTED", "UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED"),
    BadRequestError: ("INVALID_ARGUMENT", "OUT_OF_RANGE", "FAILED_PRECONDITION", "UNIMPLEMENTED", "ALREADY_EXISTS"),
}
BY_STATUS = {status: kind for kind, statuses in STATUSES.items() for status in statuses}


def of_server(status: int | str, message: str, retry_after: float = 0.0) -> ServerError:
    """The error for a status of HTTP or a code of gRPC, with the server's words."""
    kind = BY_STATUS.get(status)
    if kind is None:
        kind = BadRequestError if isinstance(status, int) and 300 <= status < 500 else InternalError
    if RESTRICTED in message:
        kind = AccessError
    elif issubclass(kind, BadRequestError) and BATCH_LIMIT.search(message):
        kind = BatchTooLargeError
    return kind(message, status=status, retry_after=retry_after)

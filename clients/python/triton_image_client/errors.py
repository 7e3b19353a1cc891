"""What can go wrong, as exceptions: ClientError is the base of all.

ClientError
├── UsageError               the call itself is wrong; nothing was sent
├── ModelError               the server has no model for this task, or several
└── ServerError              the server's answer is an error; `status` and `said` are its own
    ├── BadRequestError      4xx, INVALID_ARGUMENT: this request will never work
    │   ├── BatchTooLargeError
    │   ├── NotFoundError    404, NOT_FOUND
    │   └── AccessError      401, 403, UNAUTHENTICATED, PERMISSION_DENIED, a restricted API
    ├── InternalError        500, INTERNAL: the model failed on this request
    └── UnavailableError     429, 502, 503, 504, UNAVAILABLE, no connection, no answer in time
"""

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


BY_STATUS: dict[int | str, type[ServerError]] = {
    401: AccessError,
    403: AccessError,
    404: NotFoundError,
    408: UnavailableError,
    429: UnavailableError,
    502: UnavailableError,
    503: UnavailableError,
    504: UnavailableError,
    "UNAUTHENTICATED": AccessError,
    "PERMISSION_DENIED": AccessError,
    "NOT_FOUND": NotFoundError,
    "RESOURCE_EXHAUSTED": UnavailableError,
    "UNAVAILABLE": UnavailableError,
    "DEADLINE_EXCEEDED": UnavailableError,
    "CANCELLED": UnavailableError,
    "INVALID_ARGUMENT": BadRequestError,
    "OUT_OF_RANGE": BadRequestError,
    "FAILED_PRECONDITION": BadRequestError,
    "UNIMPLEMENTED": BadRequestError,
    "ALREADY_EXISTS": BadRequestError,
}


def of_server(status: int | str, said: str, retry_after: float = 0.0) -> ServerError:
    """The error for a status of HTTP or a code of gRPC, with the server's words."""
    kind = BY_STATUS.get(status)
    if kind is None:
        kind = BadRequestError if isinstance(status, int) and 300 <= status < 500 else InternalError
    if RESTRICTED in said:
        kind = AccessError
    elif issubclass(kind, BadRequestError) and BATCH_LIMIT.search(said):
        kind = BatchTooLargeError
    return kind(said, status=status, retry_after=retry_after)

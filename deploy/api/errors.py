"""Why a request is not answered, in the words of each protocol."""

from dataclasses import dataclass
from http import HTTPStatus


@dataclass(frozen=True)
class Kind:
    """A kind of failure. `tei_status` 0: the same status; `tei`: the error_type of text-embeddings-inference.

    `openai`: the `type` and the `code` of OpenAI's error object. `headers` are added to the response.
    """

    status: int
    tei: str
    openai: tuple[str, str | None] = ("invalid_request_error", None)
    tei_status: int = 0
    headers: tuple[tuple[str, str], ...] = ()


# The status and the error_type of each failure of text-embeddings-inference: router/src/http/server.rs there.
MALFORMED = Kind(400, "Validation")
INVALID = Kind(400, "Validation", tei_status=422)
EMPTY = Kind(400, "Empty")
TOO_LARGE = Kind(413, "Validation")
TOO_SLOW = Kind(408, "Validation")
NOT_FOUND = Kind(404, "Validation")
NOT_ALLOWED = Kind(405, "Validation")
UNKNOWN_MODEL = Kind(404, "Validation", ("invalid_request_error", "model_not_found"))
UNAUTHORIZED = Kind(
    401, "Unauthorized", ("invalid_request_error", "invalid_api_key"), headers=(("WWW-Authenticate", "Bearer"),)
)
REFUSED = Kind(400, "Tokenizer", tei_status=422)
FAILED = Kind(500, "Backend", ("server_error", None), tei_status=424)
OVERLOADED = Kind(429, "Overloaded", ("rate_limit_error", "rate_limit_exceeded"), headers=(("Retry-After", "1"),))
UNHEALTHY = Kind(503, "Unhealthy", ("server_error", None), headers=(("Retry-After", "1"),))

OF_STATUS = {404: NOT_FOUND, 405: NOT_ALLOWED}


class ApiError(Exception):
    """A request that is not answered: its kind, one sentence, and the field that is wrong (None: no single one)."""

    def __init__(self, kind: Kind, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.kind, self.field = kind, field


def of_status(status: int) -> ApiError:
    """The error of a path or a method that no route has."""
    return ApiError(OF_STATUS.get(status, MALFORMED), f"{HTTPStatus(status).phrase}: /docs lists the routes")


def as_openai(error: ApiError) -> tuple[int, dict[str, object]]:
    """The status and the body in OpenAI's form."""
    kind, code = error.kind.openai
    return error.kind.status, {"error": {"message": str(error), "type": kind, "param": error.field, "code": code}}


def as_tei(error: ApiError) -> tuple[int, dict[str, object]]:
    """The status and the body in the form of text-embeddings-inference."""
    return error.kind.tei_status or error.kind.status, {"error": str(error), "error_type": error.kind.tei}

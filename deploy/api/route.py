"""A route: what it answers, and what its page says of it."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .errors import ApiError
from .service import Service

Schema = Mapping[str, Any]
# (the service, the parsed body or {} of a GET) -> a JSON value, or None for a response without a body
Answer = Callable[[Service, Any], Awaitable[Any]]


@dataclass(frozen=True)
class Route:
    """One path and method.

    `request` None: a GET. `example`: a request that every model of the route answers; `response`: the schema of the
    answer. `is_open`: needs no key. The schemas are JSON Schema 2020-12, as in OpenAPI 3.1.
    """

    path: str
    summary: str
    answer: Answer
    response: Schema | None
    request: Schema | None = None
    example: Any = None
    is_open: bool = False

    @property
    def method(self) -> str:
        """GET, or POST with a body."""
        return "POST" if self.request else "GET"


@dataclass(frozen=True)
class Protocol:
    """The routes of one kind of client, by the service, and the form of an error: (status, JSON value)."""

    routes: Callable[[Service], Sequence[Route]]
    error: Callable[[ApiError], tuple[int, dict[str, object]]]
    error_schema: Schema


def object_of(*, optional: Collection[str] = (), **properties: Schema) -> Schema:
    """The schema of an object with these fields and no others, all required but those in `optional`."""
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def list_of(items: Schema, **more: Any) -> Schema:
    """The schema of a list."""
    return {"type": "array", "items": items, **more}


TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "number"}
COUNT: Schema = {"type": "integer", "minimum": 0}
FLAG: Schema = {"type": "boolean"}
TEXTS: Schema = {"oneOf": [TEXT, list_of(TEXT, minItems=1)], "description": "a text, or a list of texts"}


def nullable(schema: Schema) -> Schema:
    """The schema of a value that may be null."""
    return {"anyOf": [schema, {"type": "null"}]}

"""Reads the fields of a request's JSON object. Each function raises ApiError with the field's name."""

from collections.abc import Collection, Mapping
from typing import Any

from .errors import EMPTY, INVALID, MALFORMED, ApiError

Body = Mapping[str, Any]
NO_TOKENS = (
    "has token numbers, which belong to another tokenizer; send texts "
    "(LangChain does with check_embedding_ctx_length=False)"
)


def require_known(body: Any, known: Collection[str]) -> Body:
    """`body`, if it is an object with no other fields than `known`."""
    if not isinstance(body, dict):
        raise ApiError(MALFORMED, "the body is not a JSON object; /docs has an example")
    for name in body:
        if name not in known:
            raise ApiError(INVALID, f"field {name!r} is not known; the fields are: {', '.join(known)}", name)
    return body


def text(value: Any, field: str) -> str:
    """`value`, if it is a text that UTF-8 can carry."""
    if not isinstance(value, str):
        raise ApiError(INVALID, f"{field} is not a text", field)
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ApiError(INVALID, f"{field} has half of a surrogate pair, which is not a character", field) from error
    return value


def texts(body: Body, field: str) -> list[str]:
    """The texts of a required field: a text, or a list of texts."""
    value = required(body, field)
    if isinstance(value, str):
        return [text(value, field)]
    if not isinstance(value, list):
        raise ApiError(INVALID, f"{field} is neither a text nor a list of texts", field)
    if any(isinstance(each, int | list) for each in value):
        raise ApiError(INVALID, f"{field} {NO_TOKENS}", field)
    return [text(each, f"{field}[{index}]") for index, each in enumerate(value)]


def required(body: Body, field: str) -> Any:
    """The value of a field that a request must have."""
    if body.get(field) is None:
        raise ApiError(INVALID, f"{field} is missing", field)
    if body[field] == []:
        raise ApiError(EMPTY, f"{field} is empty; send at least one text", field)
    return body[field]


def flag(body: Body, field: str, default: bool) -> bool:
    """The value of an optional field that is true or false."""
    value = body.get(field)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise ApiError(INVALID, f"{field} is {value!r}; use true or false", field)
    return value


def number(body: Body, field: str) -> int | None:
    """The value of an optional whole number above 0."""
    value = body.get(field)
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
        raise ApiError(INVALID, f"{field} is {value!r}; use a whole number above 0", field)
    return value


def choice(body: Body, field: str, allowed: Collection[str]) -> str | None:
    """The value of an optional field that is one of several words."""
    value = body.get(field)
    if value is not None and value not in allowed:
        raise ApiError(INVALID, f"{field} is {value!r}; choose one of: {', '.join(allowed)}", field)
    return None if value is None else str(value)


def word(body: Body, field: str) -> str | None:
    """The value of an optional text."""
    return None if body.get(field) is None else text(body[field], field)

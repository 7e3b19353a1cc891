"""The routes of OpenAI's API that an embedding model can answer (its reference: "Embeddings" and "Models")."""

import base64
from collections.abc import Sequence
from typing import Any

from . import fields
from .errors import UNKNOWN_MODEL, ApiError, as_openai
from .route import COUNT, NUMBER, TEXT, TEXTS, Protocol, Route, list_of, nullable, object_of
from .service import Choices, Service

ENCODINGS = ("float", "base64")
FIELDS = ("input", "model", "dimensions", "encoding_format", "user")
USAGE = object_of(prompt_tokens=COUNT, total_tokens=COUNT)
EMBEDDING = object_of(
    object={"const": "embedding"},
    index=COUNT,
    embedding={
        "oneOf": [list_of(NUMBER), TEXT],
        "description": "numbers; with encoding_format base64 their FP32 bytes, little-endian",
    },
)
EMBEDDINGS = object_of(
    object={"const": "list"},
    data=list_of(EMBEDDING),
    model=TEXT,
    usage=USAGE,
)
MODEL = object_of(id=TEXT, object={"const": "model"}, created=COUNT, owned_by=TEXT)
ERROR = object_of(error=object_of(message=TEXT, type=TEXT, param=nullable(TEXT), code=nullable(TEXT)))


async def _embeddings(service: Service, body: Any) -> Any:
    body = fields.require_known(body, FIELDS)
    model = fields.word(body, "model")
    if model not in (None, service.facts.model):
        known = service.facts.model
        raise ApiError(UNKNOWN_MODEL, f"model {model!r} is not served; the model is {known!r}", "model")
    encoding = fields.choice(body, "encoding_format", ENCODINGS)
    choices = Choices(dimensions=fields.number(body, "dimensions"))
    rows, tokens = await service.rows_and_tokens([fields.texts(body, "input")], choices, "input")
    is_text = encoding == "base64"
    values = [base64.b64encode(row[0].tobytes()).decode() if is_text else row[0].tolist() for row in rows]
    data = [{"object": "embedding", "index": index, "embedding": value} for index, value in enumerate(values)]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": data, "model": service.facts.model, "usage": usage}


def _model(service: Service) -> dict[str, Any]:
    return {"id": service.facts.model, "object": "model", "created": 0, "owned_by": "triton"}


async def _models(service: Service, _: Any) -> Any:
    return {"object": "list", "data": [_model(service)]}


async def _own_model(service: Service, _: Any) -> Any:
    return _model(service)


def _routes(service: Service) -> Sequence[Route]:
    name = service.facts.model
    request = object_of(
        optional=FIELDS[1:],
        input=TEXTS,
        model={"const": name},
        dimensions={"enum": [*service.sizes]} if service.sizes else {"type": "integer"},
        encoding_format={"enum": [*ENCODINGS]},
        user=TEXT,
    )
    example = {"model": name, "input": ["The quick brown fox", "jumps over the lazy dog"], "encoding_format": "float"}
    return (
        Route("/v1/embeddings", "Embeddings of texts", _embeddings, EMBEDDINGS, request, example),
        Route(
            "/v1/models",
            "The served model, as a list",
            _models,
            object_of(object={"const": "list"}, data=list_of(MODEL)),
        ),
        Route(f"/v1/models/{name}", "The served model", _own_model, MODEL),
    )


PROTOCOL = Protocol(routes=_routes, error=as_openai, error_schema=ERROR)

"""/embed, /similarity and /embed_sparse of text-embeddings-inference."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from . import fields
from .errors import INVALID, ApiError
from .fields import Body
from .route import COUNT, FLAG, NUMBER, TEXT, TEXTS, Route, Schema, list_of, object_of
from .service import Choices, Service

SIDES = ("Left", "Right")
# Below this, the length of an embedding counts as this one (torch.nn.functional.normalize).
SHORTEST = 1e-12
TEXT_LIST = list_of(TEXT, minItems=1)
CHOSEN = {"prompt_name": TEXT, "truncate": FLAG, "truncation_direction": {"enum": [*SIDES]}}


def truncation(service: Service, body: Body) -> bool:
    """Whether long texts are cut, as every model here does by default; only on the side of the model."""
    side = fields.choice(body, "truncation_direction", SIDES)
    own = service.tokens.settings["truncation_side"].capitalize()
    if side not in (None, own):
        message = f"truncation_direction is {side!r}; this model cuts texts on the side {own}"
        raise ApiError(INVALID, message, "truncation_direction")
    return fields.flag(body, "truncate", True)


def _choices(service: Service, body: Body) -> Choices:
    return Choices(
        prompt_name=fields.word(body, "prompt_name"),
        dimensions=fields.number(body, "dimensions"),
        truncate=truncation(service, body),
    )


def _normalized(rows: Sequence[Any]) -> np.ndarray:
    embeddings = np.stack([row[0] for row in rows])
    unit: np.ndarray = embeddings / np.maximum(np.linalg.norm(embeddings, axis=1, keepdims=True), SHORTEST)
    return unit


async def _embed(service: Service, body: Any) -> Any:
    body = fields.require_known(body, ("inputs", *CHOSEN, "normalize", "dimensions"))
    choices = _choices(service, body)
    rows = await service.rows([fields.texts(body, "inputs")], choices, "inputs")
    if fields.flag(body, "normalize", True):
        return _normalized(rows).tolist()
    return [row[0].tolist() for row in rows]


async def _similarity(service: Service, body: Any) -> Any:
    body = fields.require_known(body, ("inputs", "parameters"))
    inputs = fields.require_known(fields.required(body, "inputs"), ("source_sentence", "sentences"))
    chosen = fields.require_known(body.get("parameters") or {}, tuple(CHOSEN))
    source = fields.text(fields.required(inputs, "source_sentence"), "source_sentence")
    texts = [source, *fields.texts(inputs, "sentences")]
    embeddings = _normalized(await service.rows([texts], _choices(service, chosen), "sentences"))
    return (embeddings[1:] @ embeddings[0]).tolist()


async def _sparse(service: Service, body: Any) -> Any:
    body = fields.require_known(body, ("inputs", *CHOSEN))
    rows = await service.rows([fields.texts(body, "inputs")], _choices(service, body), "inputs")
    pairs = (zip(ids.tolist(), weights.tolist(), strict=True) for ids, weights in rows)
    # Triton's rows are filled to the longest of a request with the id -1.
    return [[{"index": index, "value": value} for index, value in row if index >= 0] for row in pairs]


def _request(**more: Schema) -> Schema:
    return object_of(optional=(*CHOSEN, *more), inputs=TEXTS, **CHOSEN, **more)


def EMBED(service: Service) -> Route:  # noqa: N802 - a row of a table
    """Dense embeddings."""
    sizes = [*service.sizes]
    return Route(
        "/embed",
        "Embeddings of texts, of length 1 unless normalize is false",
        _embed,
        list_of(list_of(NUMBER)),
        _request(normalize=FLAG, dimensions={"enum": sizes} if sizes else {"type": "integer"}),
        {"inputs": ["The quick brown fox", "jumps over the lazy dog"], "normalize": True},
    )


def SIMILARITY(_: Service) -> Route:  # noqa: N802
    """Cosines."""
    return Route(
        "/similarity",
        "The cosine of the first text and each other one",
        _similarity,
        list_of(NUMBER),
        object_of(
            optional=("parameters",),
            inputs=object_of(source_sentence=TEXT, sentences=TEXT_LIST),
            parameters=object_of(optional=CHOSEN, **CHOSEN),
        ),
        {"inputs": {"source_sentence": "A fox jumps", "sentences": ["A fox leaps", "The bank is closed"]}},
    )


def EMBED_SPARSE(_: Service) -> Route:  # noqa: N802
    """Sparse embeddings."""
    weight = object_of(index=COUNT, value=NUMBER)
    return Route(
        "/embed_sparse",
        "The tokens of the vocabulary that stand for each text, and their weights",
        _sparse,
        list_of(list_of(weight)),
        _request(),
        {"inputs": ["The quick brown fox", "jumps over the lazy dog"]},
    )

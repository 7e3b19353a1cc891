"""/predict and /rerank of text-embeddings-inference."""

import math
from collections.abc import Sequence
from typing import Any

from . import fields
from .errors import INVALID, ApiError
from .route import COUNT, FLAG, NUMBER, TEXT, Route, list_of, object_of
from .service import Choices, Service
from .tei_embeddings import SIDES, TEXT_LIST, truncation

COMMON = {"truncate": FLAG, "truncation_direction": {"enum": [*SIDES]}, "raw_scores": FLAG}
PARAMETERS = ("top_k", "function_to_apply")
PREDICTIONS = list_of(object_of(score=NUMBER, label=TEXT))
PAIR = list_of(TEXT, minItems=1, maxItems=2)
RANKS = list_of(object_of(optional=("text",), index=COUNT, score=NUMBER, text=TEXT))


async def _rerank(service: Service, body: Any) -> Any:
    body = fields.require_known(body, ("query", "texts", *COMMON, "return_text"))
    query = fields.text(fields.required(body, "query"), "query")
    texts = fields.texts(body, "texts")
    is_raw, shows_text = fields.flag(body, "raw_scores", False), fields.flag(body, "return_text", False)
    is_logit = service.facts.score_function == "none"
    _require_own_scores(service, is_raw)
    choices = Choices(truncate=truncation(service, body))
    rows = await service.rows([[query] * len(texts), texts], choices, "texts")
    scores = [float(row[0][0]) for row in rows]
    if is_logit and not is_raw:
        scores = [_sigmoid(score) for score in scores]
    order = sorted(range(len(texts)), key=lambda index: -scores[index])
    return [{"index": at, **({"text": texts[at]} if shows_text else {}), "score": scores[at]} for at in order]


def _sigmoid(logit: float) -> float:
    return 1 / (1 + math.exp(-logit)) if logit >= 0 else 1 - _sigmoid(-logit)


def _require_own_scores(service: Service, raw: bool) -> None:
    own = service.facts.score_function
    if raw and own != "none":
        raise ApiError(
            INVALID,
            f"raw_scores is true, and the model serves the {own} of its scores; leave it out, or build the image with "
            "--activation none",
            "raw_scores",
        )


async def _predict(service: Service, body: Any) -> Any:
    body = fields.require_known(body, ("inputs", *COMMON, "parameters"))
    # Sent by InferenceClient only, which expects a list of answers for a single text as well.
    parameters = fields.require_known(body.get("parameters") or {}, PARAMETERS)
    pairs, is_single = _pairs(fields.required(body, "inputs"))
    _require_own_scores(service, fields.flag(body, "raw_scores", False))
    own = service.facts.score_function
    fields.choice(parameters, "function_to_apply", (own,))
    columns = _columns(service, pairs)
    rows = await service.rows(columns, Choices(truncate=truncation(service, body)), "inputs")
    most = fields.number(parameters, "top_k")
    answers = [
        [{"score": score, "label": label} for label, score in zip(labels, scores.tolist(), strict=True)][:most]
        for labels, scores in rows
    ]
    return answers[0] if is_single and "parameters" not in body else answers


def _pairs(inputs: Any) -> tuple[list[list[str]], bool]:
    """One or two texts for each row, and whether the request is for a single row.

    A text and a list of one or two texts are a single row; a list of such lists is a batch.
    """
    rows = inputs if isinstance(inputs, list) and isinstance(inputs[0], list) else None
    pairs = [inputs if isinstance(inputs, list) else [inputs]] if rows is None else rows
    for index, pair in enumerate(pairs):
        if not isinstance(pair, list) or not 1 <= len(pair) <= 2:
            raise ApiError(
                INVALID,
                f"row {index} of inputs is not one text or a pair; send a text, [text, text], or a batch such as "
                "[[text], [text]]",
                "inputs",
            )
        for each in pair:
            fields.text(each, f"inputs, row {index},")
    return pairs, rows is None


def _columns(service: Service, pairs: Sequence[Sequence[str]]) -> list[list[str]]:
    """The columns of the model's inputs. A model for pairs takes a single text with an empty second one."""
    width = len(service.facts.inputs)
    for index, pair in enumerate(pairs):
        if len(pair) > width:
            message = f"row {index} of inputs is a pair, and the model takes one text; send [[text], [text]]"
            raise ApiError(INVALID, message, "inputs")
    return [[pair[place] if place < len(pair) else "" for pair in pairs] for place in range(width)]


def RERANK(_: Service) -> Route:  # noqa: N802 - a row of a table
    """Scores of texts for a query."""
    return Route(
        "/rerank",
        "The scores of texts for a query, best first",
        _rerank,
        RANKS,
        object_of(optional=(*COMMON, "return_text"), query=TEXT, texts=TEXT_LIST, **COMMON, return_text=FLAG),
        {"query": "Who jumps?", "texts": ["The bank is closed", "A fox jumps"], "return_text": True},
    )


def PREDICT(service: Service) -> Route:  # noqa: N802
    """Labels of texts or pairs."""
    own = service.facts.score_function
    pair = len(service.facts.inputs) == 2
    return Route(
        "/predict",
        "The labels of texts, or of pairs, with their scores, best first",
        _predict,
        {"anyOf": [PREDICTIONS, list_of(PREDICTIONS)]},
        object_of(
            optional=(*COMMON, "parameters"),
            inputs={
                "anyOf": [TEXT, PAIR, list_of(PAIR, minItems=1)],
                "description": "a text; a text or a pair in a list; a batch: a list of those lists",
            },
            **COMMON,
            parameters=object_of(
                optional=PARAMETERS, top_k={"type": "integer", "minimum": 1}, function_to_apply={"const": own}
            ),
        ),
        {"inputs": [["A fox jumps", "A fox leaps"]] if pair else [["A fox jumps"], ["The bank is closed"]]},
    )

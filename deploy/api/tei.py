"""The routes of text-embeddings-inference, which its clients and Hugging Face's InferenceClient speak.

Bodies and answers: the OpenAPI page of that project. A client of an inference endpoint sends to "/", which answers as
the first route of the task.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from .errors import as_tei
from .route import COUNT, FLAG, TEXT, Protocol, Route, nullable, object_of
from .service import Service
from .tei_embeddings import EMBED, EMBED_SPARSE, SIMILARITY
from .tei_scores import PREDICT, RERANK

ERROR = object_of(error=TEXT, error_type=TEXT)
INFO = object_of(
    optional=("served_model_name", "max_batch_requests"),
    model_id=TEXT,
    model_sha=nullable(TEXT),
    model_dtype=TEXT,
    served_model_name=TEXT,
    model_type={"type": "object", "minProperties": 1, "maxProperties": 1},
    max_input_length=nullable(COUNT),
    max_batch_requests=COUNT,
    max_client_batch_size=COUNT,
    auto_truncate=FLAG,
)


async def _info(service: Service, _: Any) -> Any:
    facts = service.facts
    return {
        "model_id": facts.about["model_id"],
        "model_sha": facts.about.get("revision"),
        "model_dtype": facts.about["precision"],
        "served_model_name": facts.model,
        "model_type": KINDS[facts.task](service),
        "max_input_length": service.tokens.most,
        "max_batch_requests": facts.max_batch_size,
        "max_client_batch_size": service.limits.max_inputs,
        "auto_truncate": True,
    }


def _classifier(service: Service) -> Mapping[str, Any]:
    labels = service.facts.labels
    by_number = {str(number): label for number, label in enumerate(labels)}
    return {"classifier": {"id2label": by_number, "label2id": {label: int(key) for key, label in by_number.items()}}}


# The routes of a task, the first of which also answers at "/", and the model_type of /info.
ROUTES: Mapping[str, Sequence[Callable[[Service], Route]]] = {
    "feature-extraction": (EMBED, SIMILARITY),
    "sparse-embedding": (EMBED_SPARSE,),
    "text-ranking": (RERANK,),
    "text-classification": (PREDICT,),
    "text-pair-classification": (PREDICT,),
}
KINDS: Mapping[str, Callable[[Service], Mapping[str, Any]]] = {
    "feature-extraction": lambda _: {"embedding": {}},
    "sparse-embedding": lambda _: {"embedding": {"pooling": "splade"}},
    "text-ranking": lambda _: {"reranker": {}},
    "text-classification": _classifier,
    "text-pair-classification": _classifier,
}


def _routes(service: Service) -> Sequence[Route]:
    first, *others = (make(service) for make in ROUTES[service.facts.task])
    answers = {"similarity": SIMILARITY(service).answer} if others else {}

    async def at_root(serving: Service, body: Any) -> Any:
        is_comparison = isinstance(body, dict) and isinstance(body.get("inputs"), dict)
        return await (answers.get("similarity", first.answer) if is_comparison else first.answer)(serving, body)

    root = replace(first, path="/", summary=f"As {first.path}, for clients of an inference endpoint", answer=at_root)
    return (first, *others, root, Route("/info", "The served model", _info, INFO))


PROTOCOL = Protocol(routes=_routes, error=as_tei, error_schema=ERROR)

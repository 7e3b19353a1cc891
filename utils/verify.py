"""Stage 7: asks a running server the golden texts, over HTTP and gRPC, and compares its answers with PyTorch's."""

import json
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from utils.errors import BootProofError
from utils.golden import GoldenAnswers, read_golden
from utils.pipeline import Pipeline
from utils.server_address import ServerAddress

CLIENT_TIMEOUT = 60.0


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One served row: labels best first, and their scores."""

    labels: tuple[str, ...]
    scores: tuple[float, ...]


Ask = Callable[[list[str]], list[Answer]]


def prove(address: ServerAddress, golden_file: Path, pipeline: Pipeline) -> str:
    """Every golden text alone and in batches, over each protocol; what was proven, in a few words.

    Raises BootProofError (exit 8) with the first text whose labels or scores differ from PyTorch's.
    """
    golden = read_golden(golden_file)
    model_name = pipeline.model_name
    protocols: dict[str, Ask] = {
        "HTTP": lambda texts: _ask_http(address.http, model_name, texts),
        "HTTP with JSON": lambda texts: _ask_json(address.http, model_name, texts),
        "gRPC": lambda texts: _ask_grpc(address.grpc, model_name, texts),
    }
    largest = 0.0
    for protocol, ask in protocols.items():
        for rows in _batches(len(golden.texts), pipeline.max_batch_size):
            answers = _answers(ask, [golden.texts[row] for row in rows], protocol)
            for row, answer in zip(rows, answers, strict=True):
                largest = max(largest, _compare(golden, row, answer, protocol))
    return f"{len(golden.texts)} golden texts over HTTP and gRPC: labels equal, largest score difference {largest:.1e}"


def _batches(count: int, largest: int) -> list[list[int]]:
    """Each text alone, then all of them in the largest batches."""
    singles = [[row] for row in range(count)]
    return singles + [list(range(start, min(start + largest, count))) for start in range(0, count, largest)]


def _answers(ask: Ask, texts: list[str], protocol: str) -> list[Answer]:
    try:
        answers = ask(texts)
    except BootProofError:
        raise
    except Exception as error:  # tritonclient, gevent and grpc each have their own
        reason = " ".join(str(error).split())[:300]
        raise BootProofError(f"the server did not answer {texts[0][:60]!r} over {protocol}: {reason}") from error
    if len(answers) != len(texts):
        raise BootProofError(f"the server gave {len(answers)} answers to {len(texts)} texts over {protocol}")
    return answers


def _compare(golden: GoldenAnswers, row: int, answer: Answer, protocol: str) -> float:
    """The largest difference of one answer's scores; each served label must be one PyTorch ranks there.

    Labels whose scores differ by less than the tolerance are as good as equal and may change places.
    """
    ranked = sorted(range(len(golden.labels)), key=lambda index: -golden.scores[row][index])[: golden.top_k]
    wanted = [(golden.labels[index], golden.scores[row][index]) for index in ranked]
    differences = [float("inf")]
    if len(answer.labels) == len(answer.scores) == len(wanted) and _all_distinct(answer, golden):
        differences = [
            difference
            for label, score, (_, expected) in zip(answer.labels, answer.scores, wanted, strict=True)
            for difference in (abs(score - expected), _distance(golden, row, label, expected))
        ]
    # Not max(): it loses a NaN that does not come first.
    if not all(difference <= golden.tolerance for difference in differences):
        raise BootProofError(
            f"over {protocol} the server answers {golden.texts[row][:60]!r} with "
            f"{_say(zip(answer.labels, answer.scores, strict=False))}, PyTorch with {_say(wanted)}"
        )
    return max(differences)


def _all_distinct(answer: Answer, golden: GoldenAnswers) -> bool:
    """A label that stands once in the head stands once in an answer at most."""
    return all(answer.labels.count(label) <= golden.labels.count(label) for label in answer.labels)


def _distance(golden: GoldenAnswers, row: int, label: str, expected: float) -> float:
    """How far PyTorch's score of the served label is from the score expected at its place; inf for no such label."""
    scores = [golden.scores[row][index] for index, name in enumerate(golden.labels) if name == label]
    return min((abs(score - expected) for score in scores), default=float("inf"))


def _say(pairs: Any) -> str:
    return ", ".join(f"{label!r} {score:.4f}" for label, score in list(pairs)[:5]) or "nothing"


def _ask_http(address: str, model_name: str, texts: list[str]) -> list[Answer]:
    import tritonclient.http as client

    with client.InferenceServerClient(
        address, connection_timeout=CLIENT_TIMEOUT, network_timeout=CLIENT_TIMEOUT
    ) as server:
        return _infer(client, server, model_name, texts)


def _ask_grpc(address: str, model_name: str, texts: list[str]) -> list[Answer]:
    import tritonclient.grpc as client

    with client.InferenceServerClient(address) as server:
        return _infer(client, server, model_name, texts, client_timeout=CLIENT_TIMEOUT)


def _infer(client: Any, server: Any, model_name: str, texts: list[str], **options: Any) -> list[Answer]:
    import numpy as np

    tensor = client.InferInput("text_input", [len(texts), 1], "BYTES")
    tensor.set_data_from_numpy(np.array([[text.encode("utf-8")] for text in texts], dtype=np.object_))
    result = server.infer(model_name, [tensor], **options)
    predicts, scores = result.as_numpy("predicts"), result.as_numpy("scores")
    labels = [tuple(label.decode("utf-8") for label in row) for row in predicts]
    return [Answer(labels=row, scores=tuple(map(float, scores[index]))) for index, row in enumerate(labels)]


def _ask_json(address: str, model_name: str, texts: list[str]) -> list[Answer]:
    """The request of the original documentation, plain JSON without a client library."""
    tensor = {"name": "text_input", "shape": [len(texts), 1], "datatype": "BYTES", "data": texts}
    request = urllib.request.Request(
        f"http://{address}/v2/models/{model_name}/infer", data=json.dumps({"inputs": [tensor]}).encode("utf-8")
    )
    try:
        # A proxy of the user's has no part in this: the server is this machine's.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=CLIENT_TIMEOUT) as response:
            body = json.load(response)
    except urllib.error.HTTPError as error:
        raise BootProofError(
            f"the server answered {error.code} to {texts[0][:60]!r}: {error.read()[:300]!r}"
        ) from error
    outputs = {output["name"]: output for output in body["outputs"]}
    k = outputs["predicts"]["shape"][1]
    rows = range(len(texts))
    return [
        Answer(
            labels=tuple(outputs["predicts"]["data"][row * k : (row + 1) * k]),
            scores=tuple(map(float, outputs["scores"]["data"][row * k : (row + 1) * k])),
        )
        for row in rows
    ]

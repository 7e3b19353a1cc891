"""Sends the golden requests through the routes of --api, and compares the answers with the golden ones."""

import base64
import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.supervisor.comparison import difference
from utils.host.errors import BootProofError
from utils.proof.golden import GoldenAnswers, GoldenRow, TensorValue, as_plain, floats, numbers, texts
from utils.proof.golden_file import read_golden

TIMEOUT = 60.0
Outputs = Sequence[TensorValue]


@dataclass(frozen=True, kw_only=True)
class Request:
    """How rows are asked for: the path, the body of rows, and the outputs of each row in the answer.

    `parameters`: those of a row that the body can carry. `batch`: whether it can carry several rows.
    """

    path: str
    body: Callable[[Sequence[Sequence[str]], Mapping[str, Any]], Mapping[str, Any]]
    outputs: Callable[[Any], list[Outputs]]
    parameters: tuple[str, ...] = ()
    batch: bool = True


def _decoded(answer: Any) -> list[Outputs]:
    import numpy as np

    contents = (base64.b64decode(each["embedding"]) for each in answer["data"])
    return [(numbers("FP32", np.frombuffer(content, "<f4")),) for content in contents]


def _sparse(row: Sequence[Mapping[str, Any]]) -> Outputs:
    ids = tuple(each["index"] for each in row)
    indices = TensorValue(datatype="INT64", shape=(len(ids),), data=ids)
    return indices, floats([each["value"] for each in row])


def _labels(row: Sequence[Mapping[str, Any]]) -> Outputs:
    return texts([each["label"] for each in row]), floats([each["score"] for each in row])


_PREDICT = Request(
    path="/predict",
    body=lambda rows, _: {"inputs": [list(row) for row in rows]},
    outputs=lambda answer: [_labels(row) for row in answer],
)
REQUESTS: Mapping[tuple[str, str], Request] = {
    ("openai", "feature-extraction"): Request(
        path="/v1/embeddings",
        body=lambda rows, chosen: {"input": [row[0] for row in rows], "encoding_format": "base64", **chosen},
        outputs=_decoded,
        parameters=("dimensions",),
    ),
    ("tei", "feature-extraction"): Request(
        path="/embed",
        body=lambda rows, chosen: {"inputs": [row[0] for row in rows], "normalize": False, **chosen},
        outputs=lambda answer: [(floats(row),) for row in answer],
        parameters=("dimensions", "prompt_name"),
    ),
    ("tei", "sparse-embedding"): Request(
        path="/embed_sparse",
        body=lambda rows, _: {"inputs": [row[0] for row in rows]},
        outputs=lambda answer: [_sparse(row) for row in answer],
    ),
    ("tei", "text-ranking"): Request(
        path="/rerank",
        body=lambda rows, chosen: {"query": rows[0][0], "texts": [rows[0][1]], **chosen},
        outputs=lambda answer: [(floats([answer[0]["score"]]),)],
        batch=False,
    ),
    ("tei", "text-classification"): _PREDICT,
    ("tei", "text-pair-classification"): _PREDICT,
}


def prove_api(address: str, golden_file: Path, facts_file: Path) -> int:
    """The number of requests, over all protocols of the facts. Raises BootProofError for the first wrong answer."""
    golden, facts = read_golden(golden_file), json.loads(facts_file.read_text(encoding="utf-8"))
    count = 0
    for protocol in facts["routes"]:
        request = REQUESTS[protocol, facts["task"]]
        for rows in _requests(golden, facts, request):
            _prove(address, golden, facts, request, rows)
            count += 1
    return count


def _requests(golden: GoldenAnswers, facts: Mapping[str, Any], request: Request) -> Iterator[list[GoldenRow]]:
    """Each row alone, and then all rows with the same parameters in one request."""
    groups: dict[object, list[GoldenRow]] = {}
    for row in golden.rows:
        is_served = row.model == facts["model"] and str(row.version or "") in ("", facts["version"])
        if is_served and row.fits_json and set(row.parameters) <= set(request.parameters):
            yield [row]
            groups.setdefault(tuple(row.parameters.items()), []).append(row)
    if request.batch:
        yield from (group for group in groups.values() if len(group) > 1)


def _prove(
    address: str, golden: GoldenAnswers, facts: Mapping[str, Any], request: Request, rows: Sequence[GoldenRow]
) -> None:
    columns = [[row.inputs[name].data[0] for name in facts["inputs"]] for row in rows]
    chosen = dict(rows[0].parameters)
    if facts["score_function"] == "none" and not request.batch:
        chosen["raw_scores"] = True
    url = f"http://{address}{request.path}"
    try:
        answers = request.outputs(post_json(url, request.body(columns, chosen)))
    except (OSError, ValueError) as error:
        raise BootProofError(f"{url} did not answer: {error}") from error
    try:
        for row, outputs in zip(rows, answers, strict=True):
            served = dict(zip(facts["outputs"], outputs, strict=True))
            difference(
                as_plain(row.outputs), as_plain(served), comparison=golden.comparison, tolerance=golden.tolerance
            )
    except ValueError as error:
        raise BootProofError(
            f"the answer of {request.path} to {columns[0]} differs from the reference model's: {error}"
        ) from error


def post_json(url: str, body: Mapping[str, Any]) -> Any:
    """The JSON answer to a JSON body. OSError, with the status if it is an error, or ValueError if there is none."""
    request = urllib.request.Request(url, data=json.dumps(body).encode(), headers={"Content-Type": "application/json"})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # the server runs on this machine
    try:
        with opener.open(request, timeout=TIMEOUT) as response:
            return json.load(response)
    except urllib.error.HTTPError as error:
        raise OSError(f"HTTP status {error.code}: {error.read()[:300]!r}") from error

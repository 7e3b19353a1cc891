"""The application for each task, with the real tokenization and a stand-in for Triton.

The stand-in answers in the shapes of the task. It hides connection and model: tests/server/test_api.py has both.
"""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from deploy.api.app import make_app
from deploy.api.facts import Facts
from deploy.api.keys import Keys
from deploy.api.service import Limits, Service
from deploy.api.tokens import Tokens
from tests import tiny_models
from tests.conftest import SETTINGS
from utils import ROOT
from utils.targets.apis import apis_for

LABELS = ("no", "yes", "perhaps")
OUTPUTS = {
    "feature-extraction": ("embedding",),
    "sparse-embedding": ("indices", "weights"),
    "text-ranking": ("scores",),
    "text-classification": ("predicts", "scores"),
    "text-pair-classification": ("predicts", "scores"),
}
PAIRS = ("text-ranking", "text-pair-classification")
MOST = 16  # tokens of a text


class FakeTriton:
    """`failure`: raised by each request. `requests`: the columns and parameters of all requests."""

    def __init__(self, facts: Facts) -> None:
        self.facts, self.ready = facts, True
        self.failure: Exception | None = None
        self.requests: list[tuple[Sequence[Sequence[str]], Mapping[str, Any]]] = []

    async def is_ready(self) -> bool:
        return self.ready

    async def infer(self, columns: Sequence[Sequence[str]], parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        self.requests.append((columns, parameters))
        if self.failure:
            raise self.failure
        rows = list(zip(*columns, strict=True))
        return [self._row(index, row, parameters) for index, row in enumerate(rows)]

    def _row(self, index: int, row: Sequence[str], parameters: Mapping[str, Any]) -> tuple[Any, ...]:
        size = len("".join(row))
        if self.facts.task == "feature-extraction":
            return (np.array([size, index, 2, 1], np.float32)[: parameters.get("dimensions", 4)],)
        if self.facts.task == "sparse-embedding":
            return np.array([3, 7, -1]), np.array([0.5, 0.25, 0], np.float32)
        if self.facts.task == "text-ranking":
            return (np.array([size / 100], np.float32),)
        return ["yes", "no"], np.array([0.75, 0.25], np.float32)


@pytest.fixture(scope="session")
def tokenizer_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tokenizer")
    tiny_models.wordpiece().save(str(folder / "tokenizer.json"))
    shutil.copy(ROOT / "model_repository/shared/tokenization.py", folder)
    return folder


@pytest.fixture
def make_client(tokenizer_folder: Path) -> Iterator[Callable[..., tuple[TestClient, FakeTriton]]]:
    """make_client(task, ...): (a client of its application, the stand-in for Triton)."""
    clients = []

    def make(
        task: str, *, keys: Any = None, sizes: Sequence[int] = (), score_function: str = "softmax", **limits: int
    ) -> tuple[TestClient, FakeTriton]:
        settings = {**SETTINGS, "max_length": MOST, "prompts": {"query": {"text": "fox ", "tokens": 0}}}
        settings |= {"default_prompt": None, "dimensions": list(sizes)}
        (tokenizer_folder / "settings.json").write_text(json.dumps(settings))
        facts = Facts(
            routes=apis_for(task),
            task=task,
            model="topics",
            version="",
            max_batch_size=4,
            inputs=("text_input", "text_pair")[: 1 + (task in PAIRS)],
            outputs=OUTPUTS[task],
            tokenizer="",
            labels=LABELS,
            dimensions=[4],
            score_function=score_function,
            about={"model_id": "hf:user/model", "revision": "abc", "precision": "fp32"},
        )
        triton: Any = FakeTriton(facts)
        bounds = Limits(**{"max_body": 100_000, "max_inputs": 8, **limits})
        app = make_app(Service(facts, triton, Tokens(tokenizer_folder), bounds), Keys(keys))
        clients.append(TestClient(app, raise_server_exceptions=False))
        return clients[-1], triton

    yield make
    for client in clients:
        client.close()

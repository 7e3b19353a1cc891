"""What the tests of the proof share: prove() with answers made here, and a port without a server."""

import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.unit.proof.rankings import (
    LABELS,
    NOWHERE,
    PROTOCOLS,
    SCORES,
    TEXTS,
    Outputs,
    golden_of,
    ranked,
    stacked,
)
from utils.proof import verify
from utils.proof.golden import TensorValue
from utils.proof.golden_file import write_golden
from utils.proof.verify import Proof, prove
from utils.repository.pipeline import Pipeline


@pytest.fixture
def proof(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, make_pipeline: Callable[..., Pipeline]
) -> Callable[..., Proof]:
    """`proof(served, ...)`: what prove() returns when every protocol answers as `served` ({text: answer}).

    `on`: only that protocol does; the others give the right answers.
    """

    def run(
        served: Mapping[str, Outputs | None] | None = None,
        *,
        requested: Sequence[str] = TEXTS,
        labels: Sequence[str] = LABELS,
        scores: Sequence[Sequence[float]] = SCORES,
        k: int = 1,
        on: str | None = None,
        batch: int = 2,
        seen: list[Any] | None = None,
    ) -> Proof:
        right: dict[str, Outputs | None] = {
            text: ranked(row, labels, k) for text, row in zip(requested, scores, strict=True)
        }
        wrong = {**right, **(served or {})}
        for function in PROTOCOLS:
            answers = wrong if on in (None, function) else right

            def infer(
                _address: object,
                model_name: str,
                inputs: Mapping[str, TensorValue],
                _parameters: Mapping[str, object],
                answers: Mapping[str, Outputs | None] = answers,
                function: str = function,
            ) -> Outputs:
                tensor = inputs["text_input"]
                assert (tensor.datatype, tensor.shape) == ("BYTES", (len(tensor.data), 1))
                if seen is not None:
                    seen.append((function, model_name, tensor.data))
                return stacked([answers[str(text)] for text in tensor.data])

            monkeypatch.setattr(verify, function, infer)
        pipeline = make_pipeline(model_name="topics", max_batch_size=batch, labels=labels, top_k=k)
        return prove(NOWHERE, write_golden(golden_of(requested, labels, scores), tmp_path), pipeline)

    return run


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port where nothing listens, and nothing can while the socket holds it."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]

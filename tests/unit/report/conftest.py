"""A finished build whose texts try to be markup."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from utils.proof.golden import GoldenAnswers, GoldenRow, TensorValue, texts
from utils.proof.served import ServedRow
from utils.report.section import Finished
from utils.repository.context import Context
from utils.repository.pipeline import Pipeline

HOSTILE = "<script>alert('1')</script> & {{ 7 * 7 }} $x^2$ ]]> ```"


@pytest.fixture
def finished(make_pipeline: Callable[..., Pipeline], tmp_path: Path) -> Callable[..., Finished]:
    """`finished(**changes)`."""

    def make(**changes: Any) -> Finished:
        pipeline = make_pipeline(labels=("a", HOSTILE))
        answer = {
            "predicts": texts([HOSTILE, "a"]),
            "scores": TensorValue(datatype="FP32", shape=(2,), data=(0.75, 0.25)),
        }
        row = GoldenRow(
            model=pipeline.model_name, batched=True, inputs={"text_input": texts([HOSTILE])}, outputs=answer
        )
        served = {**answer, "scores": TensorValue(datatype="FP32", shape=(2,), data=(0.7500001, 0.2499999))}
        context = Context(
            pipeline=pipeline,
            image="tritoned_topics:v1",
            device="cpu",
            docker={"triton_image": "triton:1", "slim_image": "slim:1", "runtime": "slim", "python": "3.12"},
            oci_labels={
                "triton-image-factory.model": "hf:team/topics",
                "triton-image-factory.model.revision": "c0ffee",
                "triton-image-factory.model.licence": "apache-2.0",
                "triton-image-factory.task": "text-classification",
            },
        )
        values: dict[str, Any] = {
            "tree": tmp_path,
            "place": tmp_path,
            "context": context,
            "golden": GoldenAnswers(rows=(row,), comparison="ranking"),
            "record": {"parameters": {"model": "hf:team/topics"}, "proof": {"requests": 1, "protocols": ["HTTP"]}},
            "served": (ServedRow(outputs=served, difference=1e-7),),
        }
        return Finished(**{**values, **changes})

    return make

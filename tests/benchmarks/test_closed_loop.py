"""What is sent to which model."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.closed_loop import Figures, requests_to
from utils.errors import UsageError
from utils.golden import GoldenAnswers, GoldenRow, numbers, texts, write_golden
from utils.tensors import TensorSpec


def sent(requests):
    """Names, shapes and types of each request's inputs."""
    return [[(each.name(), list(each.shape()), each.datatype()) for each in row] for row in requests.rows]


@pytest.fixture
def pair(make_pipeline):
    return make_pipeline(task="text-pair-classification")


@pytest.fixture
def golden_file(tmp_path):
    """Two rows of the served model, one of a model beside it."""

    def row(text, model="ensemble_model", batched=True):
        inputs = {"text": texts([text]), "text_pair": texts(["b"])}
        outputs = {"scores": numbers("FP32", np.array([1.0]))}
        return GoldenRow(model=model, batched=batched, inputs=inputs, outputs=outputs)

    rows = (row("a"), row("c", batched=False), row("d", model="other"))
    return write_golden(GoldenAnswers(rows=rows, comparison="tensors"), tmp_path)


def test_texts_are_made_up_for_a_model_that_takes_one(make_pipeline, tmp_path):
    requests = requests_to(make_pipeline(), tmp_path / "unread", None)
    assert requests.what == f"{len(requests.rows)} texts"
    assert len(requests.rows) > 100
    assert all(row == [("text_input", [1, 1], "BYTES")] for row in sent(requests))


def test_texts_of_a_file(make_pipeline, tmp_path):
    file = tmp_path / "mine.txt"
    file.write_text("first\n\nпомощь\n", encoding="utf-8")
    pipeline = make_pipeline()
    pipeline = replace(pipeline, inputs=(TensorSpec(name="sentence", dtype="BYTES", dims=(1,)),))
    requests = requests_to(pipeline, tmp_path / "unread", file)
    assert requests.what == "2 texts of mine.txt"
    assert [row[0].name() for row in requests.rows] == ["sentence", "sentence"]


def test_other_models_get_their_golden_requests(pair, golden_file):
    requests = requests_to(pair, golden_file, None)
    assert requests.what == "2 golden requests"
    assert [[shape for _, shape, _ in row] for row in sent(requests)] == [[[1, 1], [1, 1]], [[1], [1]]]


def test_texts_for_a_model_of_other_inputs_are_refused(pair, golden_file, tmp_path):
    with pytest.raises(UsageError, match="takes text_input BYTES"):
        requests_to(pair, golden_file, tmp_path / "mine.txt")


@pytest.mark.parametrize("content", [None, b"", b"\n \n", b"\xff"])
def test_a_file_without_texts_is_refused(make_pipeline, tmp_path, content):
    file = tmp_path / "mine.txt"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(UsageError, match=r"--texts .*mine\.txt"):
        requests_to(make_pipeline(), tmp_path / "unread", file)


def test_the_median_is_taken_figure_by_figure():
    rows = [
        Figures(requests_per_second=rate, p50_ms=p50, p99_ms=9.0, cpu_ms=1.0)
        for rate, p50 in ((1.0, 30.0), (3.0, 10.0), (2.0, 20.0))
    ]
    assert Figures.median(rows) == Figures(requests_per_second=2.0, p50_ms=20.0, p99_ms=9.0, cpu_ms=1.0)

"""Each client against a real server: the answers are those of PyTorch in golden.json, whatever the protocol."""

import asyncio
import json

import numpy as np
import pytest
import triton_image_client as client

from tests.clients.conftest import BUILDS

CLASSES = {
    "text-classification": (client.Classifier, client.AsyncClassifier),
    "text-pair-classification": (client.PairClassifier, client.AsyncPairClassifier),
    "text-ranking": (client.Ranker, client.AsyncRanker),
    "token-classification": (client.TokenClassifier, client.AsyncTokenClassifier),
    "question-answering": (client.QuestionAnswerer, client.AsyncQuestionAnswerer),
    "zero-shot-classification": (client.ZeroShotClassifier, client.AsyncZeroShotClassifier),
    "feature-extraction": (client.Embedder, client.AsyncEmbedder),
    "sparse-embedding": (client.SparseEmbedder, client.AsyncSparseEmbedder),
    "ocr": (client.Ocr, client.AsyncOcr),
}


def arguments(task, row):
    """Of a call, from a golden request."""
    texts = {name: list(tensor.data) for name, tensor in row.inputs.items()}
    if task == "text-ranking":
        return texts["text_input"][0], texts["text_pair"]
    if task == "zero-shot-classification":
        return texts["text_input"][0], texts["candidate_labels"]
    return tuple(values[0] for values in texts.values())


def call(kind, address, model, requests, parameters):
    """One client for all requests, each a tuple of arguments, and the parameters that are given with it."""
    if kind.__name__.startswith("Async"):

        async def ask():
            async with kind(address, model=model) as task_client:
                return [await task_client(*each, **more) for each, more in zip(requests, parameters, strict=True)]

        return asyncio.run(ask())
    with kind(address, model=model) as task_client:
        return [task_client(*each, **more) for each, more in zip(requests, parameters, strict=True)]


def test_every_class_is_tested():
    kinds = {kind.__name__ for pair in CLASSES.values() for kind in pair}
    exported = {name for name in client.__all__ if hasattr(getattr(client, name), "task")}
    assert kinds == exported
    assert set(CLASSES) == set(BUILDS)


def value_of(task, answer):
    """{output name: flat values} of an answer, as in golden.json."""
    if task in ("text-classification", "text-pair-classification", "zero-shot-classification"):
        return {"predicts": answer.labels, "scores": answer.scores}
    if task == "text-ranking":
        (ranked,) = answer
        return {"scores": ranked.scores}
    if task == "question-answering":
        return {"answer": [answer.answer], "score": [answer.score], "start": [answer.start], "end": [answer.end]}
    if task == "feature-extraction":
        return {"embedding": answer}
    if task == "sparse-embedding":
        return {"indices": answer.indices, "weights": answer.weights}
    return {
        "words": [word.text for word in answer],
        "boxes": np.array([word.box for word in answer]).reshape(-1),
        "scores": [word.score for word in answer],
    }


def assert_entities(answer, golden):
    expected = json.loads(golden)
    assert [each.label for each in answer] == [each["entity_group"] for each in expected]
    assert [(each.word, each.start, each.end) for each in answer] == [
        (each["word"], each["start"], each["end"]) for each in expected
    ]
    assert [each.score for each in answer] == pytest.approx([each["score"] for each in expected], abs=1e-3)


@pytest.mark.parametrize("kind", [0, 1], ids=["threads", "asyncio"])
@pytest.mark.parametrize("task", CLASSES)
def test_the_answers_are_those_of_the_reference_model(served, server, task, kind):
    rows = served.golden(task)[:6]
    requests = [arguments(task, row) for row in rows]
    parameters = [dict(row.parameters) for row in rows]
    answers = call(CLASSES[task][kind], server, served.models[task], requests, parameters)
    assert len(answers) == len(rows) > 0
    for row, answer in zip(rows, answers, strict=True):
        if task == "token-classification":
            assert_entities(answer, row.outputs["entities"].data[0])
            continue
        found = value_of(task, answer)
        assert set(found) == set(row.outputs)
        for name, values in found.items():
            expected = row.outputs[name].data[: len(values)]
            if row.outputs[name].datatype == "BYTES":
                assert list(values) == list(expected)
            else:
                assert list(values) == pytest.approx(list(expected), abs=1e-3)
        assert task == "text-classification" or len(values) == len(row.outputs[name].data)

"""Every wording of Triton that the code matches."""

import json

import pytest

from deploy.supervisor import triton_errors
from deploy.supervisor.triton_errors import GRAPH_FAILED_WORDINGS
from tests.loopback.triton_sentences import NO_ROOM

# {wording: the releases that say it, as the tables have them, and a sentence of one}
UNREADABLE = [
    ("failed to parse the request JSON buffer: Missing a name for object member. at 1", "", ""),
    ("Unable to parse JSON bytes array: attempt to access JSON non-string as string", "", ""),
    ("Unable to parse 'data': Shape does not match true shape of 'data' field", "", ""),
    ("Unable to parse 'data': shape does not match true shape of 'data' field", "", ""),
    ("Failed to parse 'data' field: shape does not match true shape", "26.04", ""),
    ("parameter key '' was not found in the JSON", "", ""),
]


def body(sentence):
    return json.dumps({"error": sentence}, separators=(",", ":")).encode()


@pytest.mark.parametrize(("sentence", "first", "last"), UNREADABLE)
def test_every_wording_of_unreadable_json_matches(sentence, first, last):
    assert triton_errors.UNREADABLE.match(body(sentence))
    assert not triton_errors.UNREADABLE.match(body(f"the step failed: {sentence}"))
    assert (first, last) in {(each.first, each.last) for each in triton_errors.UNREADABLE_WORDINGS}


@pytest.mark.parametrize("release", NO_ROOM)
@pytest.mark.parametrize("step", ["", "in ensemble 'a', ", "Failed to process the request(s) for model 'b', message: "])
def test_every_wording_of_full_shared_memory_matches(release, step):
    text = body(step + json.loads(NO_ROOM[release])["error"])
    assert triton_errors.NO_ROOM.match(text)
    (wording,) = [each for each in triton_errors.NO_ROOM_WORDINGS if each.first <= release <= (each.last or release)]
    assert triton_errors._errors([wording]).match(text)


@pytest.mark.parametrize("step", ["", "in ensemble 'a', "])
@pytest.mark.parametrize(
    "sentence",
    [
        "onnx runtime error 2: Non-zero status code returned while running Gather node.",
        "PyTorch execute failure: The f",
    ],
)
def test_every_wording_of_a_failed_run_matches(sentence, step):
    assert triton_errors.GRAPH_FAILED.match(body(step + sentence))
    assert sum(bool(triton_errors._errors([each]).match(body(step + sentence))) for each in GRAPH_FAILED_WORDINGS) == 1


def test_a_client_s_text_does_not_match():
    """Triton quotes names of inputs; a quotation mark in one is escaped there."""
    name = 'x", Failed to increase the shared memory pool size to 5 bytes'
    assert not triton_errors.NO_ROOM.match(body(f"unexpected inference input '{name}'"))


def test_the_guard_s_sentences_are_json_errors():
    assert "--shm-size" in json.loads(triton_errors.TRY_LESS)["error"]
    assert "check their values" in json.loads(triton_errors.CHECK_VALUES)["error"]

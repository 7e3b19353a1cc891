"""The proof of rankings: correct answers pass, every wrong one fails. The answers are made here, without a server."""

import math
from dataclasses import replace

import pytest

from tests.unit.proof.rankings import NOWHERE, PROTOCOLS, answer, golden_of
from utils.host.errors import BootProofError
from utils.proof import verify
from utils.proof.golden import texts
from utils.proof.golden_file import write_golden
from utils.proof.verify import prove
from utils.triton.address import ServerAddress


def refusal(proof, *arguments, **options):
    with pytest.raises(BootProofError) as caught:
        proof(*arguments, **options)
    assert caught.value.exit_code == 8
    return str(caught.value)


def test_correct_answers_pass_with_the_largest_difference(proof):
    assert "3 golden requests over HTTP and gRPC: answers equal" in str(proof())
    almost = {"second": answer(["c"], [0.6004])}
    assert "4.0e-04" in str(proof(almost))


def test_every_text_is_sent_alone_and_in_batches_over_each_protocol(proof):
    seen = []
    proof(seen=seen, batch=2)
    for function in PROTOCOLS:
        requests = [data for name, model, data in seen if name == function and model == "topics"]
        assert requests == [("first",), ("second",), ("third",), ("first", "second"), ("third",), ("first", "third")]


@pytest.mark.parametrize(("batch", "sizes"), [(1, [1] * 6), (3, [1, 1, 1, 3, 2, 3]), (8, [1, 1, 1, 3, 2, 3, 8])])
def test_requests_have_one_two_three_and_the_maximum_of_rows(proof, batch, sizes):
    seen = []
    proof(seen=seen, batch=batch)
    assert [len(data) for name, _, data in seen if name == "_infer_http"] == sizes


def test_no_batch_is_larger_than_max_batch_size(proof):
    seen = []
    proof(seen=seen, batch=1)
    assert {len(data) for _, _, data in seen} == {1}


@pytest.mark.parametrize("function", PROTOCOLS)
@pytest.mark.parametrize(
    ("wrong", "k"),
    [
        (answer(("a",), (0.6,)), 1),
        (answer(("b",), (0.3,)), 1),
        (answer(("c",), (0.5,)), 1),
        (answer(("c",), (0.6011,)), 1),
        (answer(("C",), (0.6,)), 1),
        (answer(("unknown",), (0.6,)), 1),
        (answer(("c",), (math.nan,)), 1),
        (answer(("c",), (math.inf,)), 1),
        (answer((), ()), 1),
        (answer(("c",), ()), 1),
        (answer((), (0.6,)), 1),
        (answer(("c", "b"), (0.6, 0.3)), 1),
        (answer(("c",), (0.6,)), 2),
        (answer(("b", "c"), (0.3, 0.6)), 2),
        (answer(("c", "a"), (0.6, 0.3)), 2),
        (answer(("c", "c"), (0.6, 0.3)), 2),
        (answer(("c", "b"), (math.nan, 0.3)), 2),
        (answer(("c", "b"), (0.6, math.nan)), 2),
        (answer(("c", "b", "a"), (0.6, 0.3, math.nan)), 3),
        ({"predicts": texts(["c"])}, 1),
        ({"scores": answer([], [0.6])["scores"]}, 1),
        ({"predicts": texts(["c"], [1, 1]), "scores": answer([], [0.6])["scores"]}, 1),
    ],
)
def test_wrong_answer_over_any_protocol_fails(proof, function, wrong, k):
    # A response has one shape for all its rows, so the batches have one row here.
    message = refusal(proof, {"second": wrong}, on=function, k=k, batch=1)
    assert f"over {PROTOCOLS[function]} " in message
    assert "'second'" in message


@pytest.mark.parametrize("function", PROTOCOLS)
def test_answer_that_is_wrong_only_in_a_batch_fails(proof, monkeypatch, make_pipeline, tmp_path, function):
    """Rows swap places when they share a request; each text alone gets the correct answer."""
    proof()
    right = getattr(verify, function)

    def infer(address, model, inputs, parameters):
        outputs = right(address, model, inputs, parameters)
        return {name: replace(each, data=tuple(reversed(each.data))) for name, each in outputs.items()}

    monkeypatch.setattr(verify, function, infer)
    with pytest.raises(BootProofError, match=f"'first' over {PROTOCOLS[function]} "):
        prove(NOWHERE, tmp_path / "golden.json", make_pipeline(model_name="topics", max_batch_size=2))


def test_refusal_shows_both_answers(proof):
    message = refusal(proof, {"second": answer(("a",), (0.5,))})
    assert "'a' 0.5" in message and "'c' 0.6" in message


@pytest.mark.parametrize("function", PROTOCOLS)
def test_missing_row_fails(proof, function):
    message = refusal(proof, {"second": None}, on=function)
    assert "predicts has shape [0, 0] for 1 rows" in message
    assert PROTOCOLS[function] in message


def test_labels_with_equal_scores_may_change_places(proof):
    scores = ((0.4005, 0.3999, 0.1996),)
    swapped = answer(("b", "a"), (0.3999, 0.4005))
    assert proof({"first": swapped}, requested=("first",), scores=scores, k=2)
    assert proof({"first": answer(("b",), (0.3999,))}, requested=("first",), scores=scores, k=1)
    message = refusal(proof, {"first": swapped}, requested=("first",), scores=((0.42, 0.38, 0.2),), k=2)
    assert "'first'" in message


def test_tie_does_not_allow_one_label_twice(proof):
    twice = answer(("a", "a"), (0.4, 0.4))
    assert "'first'" in refusal(proof, {"first": twice}, requested=("first",), scores=((0.4, 0.4, 0.2),), k=2)


def test_label_that_the_head_has_twice_may_be_served_twice(proof):
    labels, scores = ("same", "same", "other"), ((0.5, 0.3, 0.2),)
    assert proof(requested=("first",), labels=labels, scores=scores, k=2)
    thrice = {"first": answer(("same", "same", "same"), (0.5, 0.3, 0.2))}
    assert "'first'" in refusal(proof, thrice, requested=("first",), labels=labels, scores=scores, k=3)


@pytest.mark.parametrize("function", PROTOCOLS)
def test_any_exception_of_a_client_library_fails(proof, monkeypatch, make_pipeline, tmp_path, function):
    proof()

    def infer(*_):
        raise RuntimeError("no\nsuch  server")

    monkeypatch.setattr(verify, function, infer)
    with pytest.raises(BootProofError, match=f"did not answer 'first' over {PROTOCOLS[function]}: no such server"):
        prove(NOWHERE, tmp_path / "golden.json", make_pipeline(model_name="topics"))


def test_missing_golden_answers_fail(make_pipeline, tmp_path):
    with pytest.raises(BootProofError, match=r"golden\.json"):
        prove(NOWHERE, tmp_path / "golden.json", make_pipeline())


@pytest.mark.parametrize(
    "infer", [verify._infer_http, verify._infer_json, verify._infer_grpc], ids=lambda function: function.__name__
)
def test_missing_server_fails(monkeypatch, make_pipeline, tmp_path, closed_port, infer):
    """The real clients; each in turn is called first and fails."""
    monkeypatch.setattr(verify, "_infer_http", infer)
    here = f"127.0.0.1:{closed_port}"
    with pytest.raises(BootProofError, match=r"did not answer 'first'"):
        prove(ServerAddress(http=here, grpc=here), write_golden(golden_of(), tmp_path), make_pipeline())

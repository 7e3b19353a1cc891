"""The proof, against answers made here: right ones pass, and no wrong one does."""

import math
from dataclasses import replace

import pytest

from tests.unit.proof.rankings import NOWHERE, PROTOCOLS, answer, golden_of
from utils.host.errors import BootProofError
from utils.proof import verify
from utils.proof.golden import texts, write_golden
from utils.proof.verify import prove
from utils.triton.address import ServerAddress


def refusal(proof, *arguments, **options):
    with pytest.raises(BootProofError) as caught:
        proof(*arguments, **options)
    assert caught.value.exit_code == 8
    return str(caught.value)


def test_right_answers_pass_and_the_figure_is_told(proof):
    assert "3 golden requests over HTTP and gRPC: answers equal" in proof()
    almost = {"second": answer(["c"], [0.6004])}
    assert "4.0e-04" in proof(almost)


def test_every_text_is_asked_alone_and_in_batches_over_each_protocol(proof):
    seen = []
    proof(seen=seen, batch=2)
    for function in PROTOCOLS:
        requests = [data for name, model, data in seen if name == function and model == "topics"]
        assert requests == [("first",), ("second",), ("third",), ("first", "second"), ("third",), ("first", "third")]


@pytest.mark.parametrize(("batch", "sizes"), [(1, [1] * 6), (3, [1, 1, 1, 3, 2, 3]), (8, [1, 1, 1, 3, 2, 3, 8])])
def test_requests_have_one_two_three_and_as_many_rows_as_may_come(proof, batch, sizes):
    seen = []
    proof(seen=seen, batch=batch)
    assert [len(data) for name, _, data in seen if name == "_ask_http"] == sizes


def test_no_batch_is_larger_than_the_server_takes(proof):
    seen = []
    proof(seen=seen, batch=1)
    assert {len(data) for _, _, data in seen} == {1}


@pytest.mark.parametrize("function", PROTOCOLS)
@pytest.mark.parametrize(
    ("given", "k"),
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
def test_a_wrong_answer_on_any_protocol_fails_the_proof(proof, function, given, k):
    # A response has one shape for all its rows, so the batches have one row here.
    message = refusal(proof, {"second": given}, on=function, k=k, batch=1)
    assert f"over {PROTOCOLS[function]} " in message
    assert "'second'" in message


@pytest.mark.parametrize("function", PROTOCOLS)
def test_an_answer_that_is_wrong_in_a_batch_only_fails_the_proof(proof, monkeypatch, make_pipeline, tmp_path, function):
    """Rows that change places when they share a request: each text alone is answered rightly."""
    proof()
    right = getattr(verify, function)

    def ask(address, model, inputs):
        outputs = right(address, model, inputs)
        return {name: replace(each, data=tuple(reversed(each.data))) for name, each in outputs.items()}

    monkeypatch.setattr(verify, function, ask)
    with pytest.raises(BootProofError, match=f"over {PROTOCOLS[function]} .*'first' as the original"):
        prove(NOWHERE, tmp_path / "golden.json", make_pipeline(model_name="topics", max_batch_size=2))


def test_the_refusal_shows_both_sides(proof):
    message = refusal(proof, {"second": answer(("a",), (0.5,))})
    assert "'a' 0.5 where 'c' 0.6 is right" in message


@pytest.mark.parametrize("function", PROTOCOLS)
def test_a_missing_row_fails_the_proof(proof, function):
    message = refusal(proof, {"second": None}, on=function)
    assert "predicts [0, 0] to 1 rows" in message
    assert PROTOCOLS[function] in message


def test_labels_whose_scores_are_equal_within_the_tolerance_may_change_places(proof):
    scores = ((0.4005, 0.3999, 0.1996),)
    swapped = answer(("b", "a"), (0.3999, 0.4005))
    assert proof({"first": swapped}, requested=("first",), scores=scores, k=2)
    assert proof({"first": answer(("b",), (0.3999,))}, requested=("first",), scores=scores, k=1)
    message = refusal(proof, {"first": swapped}, requested=("first",), scores=((0.42, 0.38, 0.2),), k=2)
    assert "'first'" in message


def test_a_tie_does_not_let_one_label_be_given_twice(proof):
    twice = answer(("a", "a"), (0.4, 0.4))
    assert "'first'" in refusal(proof, {"first": twice}, requested=("first",), scores=((0.4, 0.4, 0.2),), k=2)


def test_a_label_that_stands_twice_in_the_head_may_be_given_twice(proof):
    labels, scores = ("same", "same", "other"), ((0.5, 0.3, 0.2),)
    assert proof(requested=("first",), labels=labels, scores=scores, k=2)
    thrice = {"first": answer(("same", "same", "same"), (0.5, 0.3, 0.2))}
    assert "'first'" in refusal(proof, thrice, requested=("first",), labels=labels, scores=scores, k=3)


@pytest.mark.parametrize("function", PROTOCOLS)
def test_whatever_a_client_library_raises_fails_the_proof(proof, monkeypatch, make_pipeline, tmp_path, function):
    proof()

    def ask(*_):
        raise RuntimeError("no\nsuch  server")

    monkeypatch.setattr(verify, function, ask)
    with pytest.raises(BootProofError, match=f"did not answer 'first' over {PROTOCOLS[function]}: no such server"):
        prove(NOWHERE, tmp_path / "golden.json", make_pipeline(model_name="topics"))


def test_golden_answers_that_are_gone_fail_the_proof(make_pipeline, tmp_path):
    with pytest.raises(BootProofError, match=r"golden\.json"):
        prove(NOWHERE, tmp_path / "golden.json", make_pipeline())


@pytest.mark.parametrize(
    "ask", [verify._ask_http, verify._ask_json, verify._ask_grpc], ids=lambda function: function.__name__
)
def test_a_server_that_is_not_there_fails_the_proof(monkeypatch, make_pipeline, tmp_path, closed_port, ask):
    """The real clients; each is put first, so that it is the one that fails."""
    monkeypatch.setattr(verify, "_ask_http", ask)
    here = f"127.0.0.1:{closed_port}"
    with pytest.raises(BootProofError, match=r"did not answer 'first'"):
        prove(ServerAddress(http=here, grpc=here), write_golden(golden_of(), tmp_path), make_pipeline())

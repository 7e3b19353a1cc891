"""What a client does when the server is overloaded, ends, hangs or refuses: against a loopback server (faulty.py)."""

import asyncio
import email.utils
import itertools
import random
import socket
import time

import pytest
import triton_image_client as client

from tests.clients.faulty import CUT, HANG, METADATA, RESET, SLOW, faulty

OVERLOADED = (503, "too many requests wait for this model", {})


@pytest.fixture
def server():
    with faulty() as running:
        yield running


@pytest.fixture(params=["threads", "asyncio"])
def ask(request):
    """ask(address, text or list, **options): the answer of a Classifier."""

    def in_threads(address, texts, **options):
        with client.Classifier(address, model="lengths", **options) as classifier:
            return classifier(texts)

    def in_asyncio(address, texts, **options):
        async def run():
            async with client.AsyncClassifier(address, model="lengths", **options) as classifier:
                return await classifier(texts)

        return asyncio.run(run())

    return in_threads if request.param == "threads" else in_asyncio


@pytest.mark.parametrize("fault", [OVERLOADED, (429, "slow down", {}), (502, "no upstream", {}), CUT, RESET], ids=str)
def test_a_request_is_repeated(server, ask, fault):
    server.faults = [fault, fault]
    assert ask(server.url, "four").label == "4"
    assert len(server.requests) == 3


def test_the_waits_grow_and_differ(server):
    server.faults = [OVERLOADED] * 5
    with client.Classifier(server.url, model="lengths") as classifier:
        classifier("four")
    waits = [later - earlier for earlier, later in itertools.pairwise(server.times)]
    for place, wait in enumerate(waits):
        assert 0.5 * 0.1 * 2**place <= wait
    assert waits[4] > 2 * waits[0]
    assert len({round(wait / 0.1 / 2**place, 2) for place, wait in enumerate(waits)}) > 1


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_is_obeyed(server, form):
    value = "1" if form == "seconds" else email.utils.formatdate(time.time() + 2, usegmt=True)
    server.faults = [(503, "later", {"retry-after": value})]
    with client.Classifier(server.url, model="lengths") as classifier:
        classifier("four")
    assert server.times[1] - server.times[0] >= 0.9


@pytest.mark.parametrize("fault", [OVERLOADED, HANG, SLOW], ids=str)
def test_the_deadline_bounds_all_attempts(server, ask, fault, monkeypatch):
    # Without jitter no wait ends near the deadline, which would end an attempt before its request arrives.
    monkeypatch.setattr(random, "uniform", lambda low, high: high)
    server.faults = [fault] * 100
    before = time.monotonic()
    with pytest.raises(client.UnavailableError) as caught:
        ask(server.url, "four", deadline=1.0)
    assert time.monotonic() - before < 4
    if fault == OVERLOADED:
        assert caught.value.status == 503
        assert caught.value.said == "too many requests wait for this model"
        assert caught.value.attempts == len(server.requests) > 1


@pytest.mark.parametrize("fault", [HANG, SLOW])
def test_an_attempt_that_the_deadline_ends_does_not_hide_the_reason(server, ask, fault):
    server.faults = [OVERLOADED, fault]
    with pytest.raises(client.UnavailableError, match="too many requests") as caught:
        ask(server.url, "four", deadline=1.0)
    assert (caught.value.status, caught.value.attempts) == (503, 2)


def test_a_long_retry_after_ends_at_once(server):
    server.faults = [(503, "later", {"retry-after": "3600"})]
    before = time.monotonic()
    with pytest.raises(client.UnavailableError), client.Classifier(server.url, model="lengths") as classifier:
        classifier("four")
    assert time.monotonic() - before < 5


@pytest.mark.parametrize("scheme", ["http", "grpc"])
def test_a_server_that_is_not_there(ask, scheme):
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        address = f"{scheme}://127.0.0.1:{held.getsockname()[1]}"
        with pytest.raises(client.UnavailableError, match=address):
            ask(address, "four", deadline=0.5)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, client.BadRequestError),
        (401, client.AccessError),
        (403, client.AccessError),
        (404, client.NotFoundError),
        (413, client.BadRequestError),
        (500, client.InternalError),
    ],
)
def test_other_errors_are_raised_at_once_with_the_words_of_the_server(server, ask, status, kind):
    server.faults = [(status, "these words", {})]
    with pytest.raises(kind, match="these words") as caught:
        ask(server.url, "four")
    assert (caught.value.status, caught.value.said, len(server.requests)) == (status, "these words", 1)


def test_the_limit_of_the_server_is_learned_once(server, ask):
    texts = ["x" * place for place in range(1, 12)]
    assert [answer.label for answer in ask(server.url, texts)] == [str(place) for place in range(1, 12)]
    assert [len(request["texts"]) for request in server.requests].count(11) == 1
    assert sorted(len(request["texts"]) for request in server.requests) == [3, 4, 4, 11]


def test_a_given_limit_is_used(server, ask):
    ask(server.url, ["a", "b", "c"], max_batch_size=2)
    assert sorted(len(request["texts"]) for request in server.requests) == [1, 2]


def test_a_batch_fails_with_the_first_error(server, ask):
    server.refuses = "seven"
    with pytest.raises(client.BadRequestError, match="'seven' is refused"):
        ask(server.url, ["six", "seven", "eight"] * 20)


def test_token_and_headers_are_sent_and_not_shown(server, ask):
    ask(server.url, "four", token="a-secret", headers={"X-Team": "nlp"})
    sent = {name.lower(): value for name, value in server.requests[0]["headers"].items()}
    assert (sent["authorization"], sent["x-team"]) == ("Bearer a-secret", "nlp")
    assert "a-secret" not in repr(client.Classifier(server.url, token="a-secret").settings)


def test_the_answer_of_another_server(server):
    server.metadata = {"hello": "world"}
    with pytest.raises(client.InternalError, match="V2"), client.Classifier(server.url, model="lengths") as classifier:
        classifier("four")


def tensor(name, datatype):
    return {"name": name, "datatype": datatype, "shape": [-1, 1]}


def test_tensors_with_other_names_are_found_by_their_types(server):
    server.metadata = {**METADATA, "inputs": [tensor("sentence", "BYTES")]}
    with client.Classifier(server.url, model="lengths") as classifier:
        assert classifier.describe().tensors["text_input"].name == "sentence"


def test_tensors_that_cannot_be_told_apart_need_names(server):
    server.metadata = {**METADATA, "inputs": [tensor("first", "BYTES"), tensor("second", "BYTES")]}
    with (
        client.PairClassifier(server.url, model="lengths") as classifier,
        pytest.raises(client.ModelError, match="tensors="),
    ):
        classifier.describe()
    names = {"text_input": "second", "text_pair": "first"}
    with client.PairClassifier(server.url, model="lengths", tensors=names) as classifier:
        assert classifier.describe().tensors["text_pair"].name == "first"


@pytest.mark.parametrize(
    "options",
    [{"in_flight": 0}, {"max_batch_size": 0}, {"deadline": 0}, {"ca_file": "ca.pem"}],
    ids=str,
)
def test_options_that_cannot_be_right(options):
    with pytest.raises(client.UsageError, match=next(iter(options)).partition("_file")[0][:2]):
        client.Classifier("http://127.0.0.1:8000", **options)


@pytest.mark.parametrize("address", ["127.0.0.1:8000", "ftp://host", "http://", "grpc://host/path", "http://host:port"])
def test_addresses_that_cannot_be_right(address):
    with pytest.raises(client.UsageError, match=address):
        client.Classifier(address)


@pytest.mark.parametrize("texts", [["a", None], ["a", 1], ["\ud800"]], ids=repr)
def test_what_is_not_a_text(server, texts):
    with client.Classifier(server.url, model="lengths") as classifier, pytest.raises(client.UsageError, match="number"):
        classifier(texts)
    assert not server.requests


def test_no_texts_need_no_request(server, ask):
    assert ask(server.url, []) == []
    assert not server.requests

"""Clients and `score` against a real server: discovery, batches, TLS, and a killed run.

`./run_tests.sh --long` kills a run of 20,000 texts instead of 2,000 (SCORE_ROWS).
"""

import asyncio
import csv
import json
import os
import ssl
import threading

import grpc
import numpy as np
import pytest
import triton_image_client as client

from tests.certificates import Authority
from tests.clients.conftest import KEY, LIMIT
from tests.clients.faulty import Faulty
from tests.clients.grpc_proxy import proxy
from tests.clients.scoring import killed_at, score_here

ROWS = int(os.environ.get("SCORE_ROWS", "2000"))
TASK = "text-classification"


def admin(address):
    """The headers that open the index and the configuration."""
    return {"triton-grpc-protocol-admin-key" if address.startswith("grpc") else "admin-key": KEY}


def test_batches_give_the_answers_of_single_texts(served, server, sentences):
    with client.Classifier(server, model=served.models[TASK]) as classifier:
        one_by_one = [classifier(text) for text in sentences]
        assert classifier.describe().limit is None
        together = classifier(sentences)
        assert classifier.describe().limit == LIMIT
    assert [each.labels for each in together] == [each.labels for each in one_by_one]
    assert len({each.score for each in together}) > 5
    np.testing.assert_allclose([e.scores for e in together], [e.scores for e in one_by_one], atol=1e-5)


def test_both_kinds_and_both_protocols_agree(served, sentences):
    model = served.models["feature-extraction"]

    async def ask(address):
        async with client.AsyncEmbedder(address, model=model) as embedder:
            first, second = await asyncio.gather(embedder(sentences), embedder(sentences, prompt_name="query"))
            return first, second

    answers = []
    for address in (served.http, served.grpc):
        answers.append(asyncio.run(ask(address)))
        with client.Embedder(address, model=model) as embedder:
            answers.append((embedder(sentences), embedder(sentences, prompt_name="query")))
            assert embedder(sentences[0], dimensions=2).shape == (2,)
            with pytest.raises(client.BadRequestError, match="dimensions"):
                embedder("a text", dimensions=3)
            with pytest.raises(client.BadRequestError, match="prompt"):
                embedder("a text", prompt_name="nowhere")
    for plain, prompted in answers:
        assert plain.shape == (len(sentences), 4) and plain.dtype == np.float32
        np.testing.assert_allclose(plain, answers[0][0], atol=1e-5)
        np.testing.assert_allclose(prompted, answers[0][1], atol=1e-5)
        assert not np.allclose(plain, prompted, atol=1e-3)


def test_with_the_key_the_only_model_of_a_task_and_its_limit_are_found(served, server):
    with client.Classifier(server, headers=admin(server)) as classifier:
        found = classifier.describe()
    assert (found.name, found.limit, found.versions) == (served.models[TASK], LIMIT, ("1",))


def test_without_the_key_the_model_must_be_named(server):
    with client.Classifier(server) as classifier, pytest.raises(client.ModelError, match="model="):
        classifier("a text")


def test_a_model_of_another_task(served, server):
    with (
        client.Classifier(server, model=served.models["text-ranking"]) as classifier,
        pytest.raises(client.ModelError, match="text_pair BYTES"),
    ):
        classifier("a text")


def test_a_model_that_is_not_there(server):
    with client.Classifier(server, model="nowhere") as classifier, pytest.raises(client.NotFoundError, match="nowhere"):
        classifier("a text")


def test_a_ranking_is_sorted(served, server, sentences):
    with client.Ranker(server, model=served.models["text-ranking"]) as ranker:
        ranked = ranker("how tall is it?", sentences)
    assert sorted(each.index for each in ranked) == list(range(len(sentences)))
    assert [each.text for each in ranked] == [sentences[each.index] for each in ranked]
    assert [each.score for each in ranked] == sorted((each.score for each in ranked), reverse=True)


def test_a_str_belongs_to_each_text_of_a_list(served, server):
    with client.PairClassifier(server, model=served.models["text-pair-classification"]) as classifier:
        assert classifier("a text", ["another", "text"]) == [classifier("a text", t) for t in ("another", "text")]
        with pytest.raises(client.UsageError, match="lengths"):
            classifier(["a"], ["b", "c"])


def test_grpc_faults_are_repeated_and_metadata_is_sent(served):
    with proxy(served.grpc) as between:
        address = f"grpc://127.0.0.1:{between.port}"
        between.faults = [(grpc.StatusCode.UNAVAILABLE, "too many requests wait for this model")] * 2
        options = {"model": served.models[TASK], "token": "a-secret", "headers": {"X-Team": "nlp"}}
        with client.Classifier(address, **options) as classifier:
            assert classifier("a text").labels
        assert len(between.metadata) == 3
        assert between.metadata[0]["authorization"] == "Bearer a-secret"
        assert between.metadata[0]["x-team"] == "nlp"
        between.faults = [(grpc.StatusCode.UNAVAILABLE, "too many")] * 100
        with (
            client.Classifier(address, deadline=0.5, **options) as classifier,
            pytest.raises(client.UnavailableError, match="too many") as caught,
        ):
            classifier("a text")
        assert caught.value.status == "UNAVAILABLE" and caught.value.attempts > 1


def test_grpc_with_tls_and_a_client_certificate(served, tmp_path):
    authority = Authority(tmp_path / "tls")
    with proxy(served.grpc, authority) as between:
        options = {"model": served.models[TASK], "ca_file": authority.certificate, "deadline": 5.0}
        address = f"grpcs://127.0.0.1:{between.port}"
        with client.Classifier(address, client_certificate=authority.sign("client"), **options) as classifier:
            assert classifier("a text").labels
        with (
            client.Classifier(address, **{**options, "deadline": 0.5}) as classifier,
            pytest.raises(client.UnavailableError),
        ):
            classifier("a text")


def test_http_with_tls_and_a_client_certificate(tmp_path):
    authority = Authority(tmp_path / "tls")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.sign("server"))
    context.load_verify_locations(authority.certificate)
    context.verify_mode = ssl.CERT_REQUIRED
    server = Faulty()
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    address = server.url.replace("http", "https")
    try:
        pair = authority.sign("client")
        with client.Classifier(
            address, model="lengths", ca_file=authority.certificate, client_certificate=pair
        ) as classifier:
            assert classifier("four").label == "4"
        with (
            client.Classifier(address, model="lengths", deadline=0.5) as classifier,
            pytest.raises(client.UnavailableError, match="certificate"),
        ):
            classifier("four")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("variable", ["http_proxy", "HTTPS_PROXY", "ALL_PROXY", "grpc_proxy"])
def test_a_proxy_of_the_environment_is_not_asked_for_this_machine(served, server, monkeypatch, variable):
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, "http://127.0.0.1:9")
    with client.Classifier(server, model=served.models[TASK], deadline=5) as classifier:
        assert classifier("a text").labels


COLUMNS = {
    "text-classification": ((), ["label", "score", "labels", "scores"]),
    "text-pair-classification": ((), ["label", "score", "labels", "scores"]),
    "text-ranking": (("--pair-column", "text_pair", "--text-column", "text"), ["score"]),
    "token-classification": ((), ["entities"]),
    "question-answering": (
        ("--text-column", "text", "--pair-column", "text_pair"),
        ["answer", "score", "start", "end"],
    ),
    "zero-shot-classification": (("--label", "sport", "--label", "weather"), ["label", "score", "labels", "scores"]),
    "feature-extraction": (("--prompt-name", "query", "--dimensions", "2"), ["embedding"]),
    "sparse-embedding": ((), ["indices", "weights"]),
}


@pytest.mark.parametrize("task", COLUMNS)
@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_score_writes_the_columns_of_each_task(served, sentences, tmp_path, task, kind):
    source, output = tmp_path / "in.jsonl", tmp_path / f"out.{kind}"
    source.write_text("".join(json.dumps({"text": text, "text_pair": text[::-1]}) + "\n" for text in sentences))
    options, columns = COLUMNS[task]
    score_here("--server", served.grpc, "--task", task, "--model", served.models[task], source, output, *options)
    if kind == "parquet":
        import pyarrow.parquet as pq

        rows = pq.read_table(output).to_pylist()
    elif kind == "csv":
        rows = list(csv.DictReader(output.open(newline="")))
    else:
        rows = [json.loads(line) for line in output.read_text().splitlines()]
    assert [row["text"] for row in rows] == sentences
    assert all(list(row) == ["text", "text_pair", *columns] for row in rows)
    assert all(row[name] not in (None, "") for row in rows for name in columns if name != "answer")
    if task == "feature-extraction" and kind != "csv":
        with client.Embedder(served.http, model=served.models[task]) as embedder:
            expected = embedder(sentences, prompt_name="query", dimensions=2)
        np.testing.assert_allclose([row["embedding"] for row in rows], expected, atol=1e-5)


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_killed_twice_and_resumed_the_rows_are_those_of_a_straight_run(served, sentences, tmp_path, protocol):
    source = tmp_path / "in.csv"
    with source.open("w", newline="") as file:
        csv.writer(file).writerows([["n", "text"], *((n, sentences[n % len(sentences)]) for n in range(ROWS))])
    command = ["--server", getattr(served, protocol), "--model", served.models[TASK], source]
    score_here(*command, tmp_path / "straight.csv")
    slowly = ["--resume", "--in-flight", "1", "--batch", "1" if ROWS < 10000 else "8"]
    first = killed_at(1, tmp_path / "out.csv", *command, tmp_path / "out.csv", *slowly)
    second = killed_at(first + 1, tmp_path / "out.csv", *command, tmp_path / "out.csv", *slowly)
    assert 0 < first < second < ROWS
    score_here(*command, tmp_path / "out.csv", "--resume")
    straight, resumed = (list(csv.DictReader((tmp_path / f"{n}.csv").open(newline=""))) for n in ("straight", "out"))
    assert [row["n"] for row in resumed] == [str(n) for n in range(ROWS)]
    for column in ("n", "text", "label"):
        assert [row[column] for row in resumed] == [row[column] for row in straight]
    np.testing.assert_allclose(*([float(row["score"]) for row in rows] for rows in (straight, resumed)), atol=1e-5)

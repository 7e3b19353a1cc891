"""The clients: `python -m benchmarks.load ...` asks one server for some seconds and prints one JSON object.

A process of its own, so that its work is not counted as the server's. Each client sends its next request when it has
the answer to the last (closed loop).
"""

import argparse
import http.client
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import numpy as np

from benchmarks.texts import LENGTHS, make_texts

FIXED_LENGTH = 128

Ask = Callable[[list[str]], object]


@contextmanager
def grpc_texts(address: str, model: str) -> Iterator[Ask]:
    """Texts to a model that tokenizes, over gRPC."""
    import tritonclient.grpc as client

    with client.InferenceServerClient(address) as server:

        def ask(texts: list[str]) -> object:
            tensor = client.InferInput("text_input", [len(texts), 1], "BYTES")
            tensor.set_data_from_numpy(np.array([[text.encode()] for text in texts], dtype=object))
            return server.infer(model, [tensor]).as_numpy("predicts")

        yield ask


@contextmanager
def http_texts(address: str, model: str) -> Iterator[Ask]:
    """Likewise over HTTP, plain JSON."""

    def body(texts: list[str]) -> dict[str, object]:
        tensor = {"name": "text_input", "shape": [len(texts), 1], "datatype": "BYTES", "data": texts}
        return {"inputs": [tensor]}

    with _json_posts(address, f"/v2/models/{model}/infer", body) as ask:
        yield ask


@contextmanager
def fastapi_texts(address: str, _model: str) -> Iterator[Ask]:
    """Texts to the FastAPI contestant."""
    with _json_posts(address, "/classify", lambda texts: {"texts": texts}) as ask:
        yield ask


@contextmanager
def grpc_tokens(address: str, model: str) -> Iterator[Ask]:
    """The client tokenizes, padding to a fixed length, and asks the graph."""
    import tritonclient.grpc as client
    from transformers import AutoTokenizer

    name, _, folder = model.partition("@")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    with client.InferenceServerClient(address) as server:

        def ask(texts: list[str]) -> object:
            arrays = tokenizer(
                texts, padding="max_length", truncation=True, max_length=FIXED_LENGTH, return_tensors="np"
            )
            inputs = []
            for tensor, array in arrays.items():
                inputs.append(client.InferInput(tensor, list(array.shape), "INT64"))
                inputs[-1].set_data_from_numpy(array.astype(np.int64))
            return server.infer(name, inputs).as_numpy("logits")

        yield ask


@contextmanager
def _json_posts(address: str, path: str, body: Callable[[list[str]], dict[str, object]]) -> Iterator[Ask]:
    with closing(http.client.HTTPConnection(address, timeout=60)) as connection:

        def ask(texts: list[str]) -> object:
            connection.request("POST", path, json.dumps(body(texts)), {"Content-Type": "application/json"})
            response = connection.getresponse()
            answer = response.read()
            if response.status != http.client.OK:
                raise RuntimeError(f"{response.status}: {answer[:200]!r}")
            return json.loads(answer)

        yield ask


KINDS = {"grpc": grpc_texts, "http": http_texts, "fastapi": fastapi_texts, "tokens": grpc_tokens}


def run(options: argparse.Namespace) -> dict[str, float]:
    """Requests and texts a second, and the latencies' percentiles in milliseconds."""
    texts = make_texts(options.texts)
    latencies: list[float] = []
    failures: list[str] = []
    barrier = threading.Barrier(options.clients + 1)
    stop = threading.Event()

    def work(client: int) -> None:
        place = client * 37 * options.batch
        with KINDS[options.kind](options.address, options.model) as ask:
            ask(texts[: options.batch])  # connected and warm before the clock starts
            barrier.wait(60)
            while not stop.is_set():
                asked = [texts[(place + row) % len(texts)] for row in range(options.batch)]
                place += options.batch
                started = time.perf_counter()
                try:
                    ask(asked)
                except Exception as error:
                    failures.append(repr(error))
                    return
                latencies.append(time.perf_counter() - started)

    threads = [threading.Thread(target=work, args=(client,)) for client in range(options.clients)]
    for thread in threads:
        thread.start()
    barrier.wait(60)
    print("started", file=sys.stderr, flush=True)
    started = time.perf_counter()
    stop.wait(options.seconds)
    stop.set()
    counted, elapsed = len(latencies), time.perf_counter() - started
    print("stopped", file=sys.stderr, flush=True)
    for thread in threads:
        thread.join()
    if failures or not counted:
        raise RuntimeError(f"{len(failures)} clients failed, the first with {failures[:1]}")
    p50, p99 = np.percentile(latencies, [50, 99])
    return {
        "texts_per_second": counted * options.batch / elapsed,
        "texts": counted * options.batch,
        "p50_ms": p50 * 1e3,
        "p99_ms": p99 * 1e3,
    }


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load", description=__doc__)
    parser.add_argument("--kind", choices=KINDS, required=True)
    parser.add_argument("--address", required=True, help="HOST:PORT")
    parser.add_argument("--model", default="", help="name of the served model; NAME@TOKENIZER_FOLDER for tokens")
    parser.add_argument("--clients", type=int, default=1)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--texts", choices=LENGTHS, default="mixed")
    print(json.dumps(run(parser.parse_args())))


if __name__ == "__main__":
    main()

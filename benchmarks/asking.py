"""How each kind of server is asked for the labels of texts: requests are bytes, made before any clock runs.

What clients spend, the servers on the same processors lack: at a request they only send and receive.
"""

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

FIXED_LENGTH = 128
SECONDS = 60.0

Body = Callable[[list[str]], bytes]  # texts to one request
Labels = Callable[[bytes], list[str]]  # its answer to their labels
Send = Callable[[bytes], bytes]


@dataclass(frozen=True, kw_only=True)
class Way:
    """`connected` gives, for the time of a block, what sends one request and returns its answer."""

    body: Body
    labels: Labels
    connected: Callable[[], Any]


def grpc_texts(address: str, model: str) -> Way:
    """Texts to a model that tokenizes, over gRPC."""

    def body(texts: list[str]) -> bytes:
        column = np.array([[text.encode()] for text in texts], dtype=object)
        return _grpc_request(model, {"text_input": ("BYTES", column)})

    def labels(answer: bytes) -> list[str]:
        return [label.decode() for label in _grpc_tensor(answer, "predicts")[:, 0]]

    return Way(body=body, labels=labels, connected=partial(_grpc, address))


def grpc_tokens(address: str, model: str) -> Way:
    """The client tokenizes, padding to a fixed length, and asks the graph; `model`: NAME@TOKENIZER_FOLDER."""
    from transformers import AutoTokenizer

    name, _, folder = model.partition("@")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    names = json.loads(Path(folder, "config.json").read_text(encoding="utf-8"))["id2label"]
    fixed = {"padding": "max_length", "truncation": True, "max_length": FIXED_LENGTH, "return_tensors": "np"}

    def body(texts: list[str]) -> bytes:
        arrays = tokenizer(texts, **fixed)
        return _grpc_request(name, {each: ("INT64", array.astype(np.int64)) for each, array in arrays.items()})

    def labels(answer: bytes) -> list[str]:
        return [names[str(place)] for place in _grpc_tensor(answer, "logits").argmax(axis=1)]

    return Way(body=body, labels=labels, connected=partial(_grpc, address))


def _grpc_request(model: str, tensors: dict[str, tuple[str, Any]]) -> bytes:
    from tritonclient.grpc import InferInput, service_pb2

    request = service_pb2.ModelInferRequest(model_name=model)
    for name, (datatype, array) in tensors.items():
        tensor = InferInput(name, list(array.shape), datatype)
        tensor.set_data_from_numpy(array)
        request.inputs.append(tensor._get_tensor())
        request.raw_input_contents.append(tensor._get_content())
    made: bytes = request.SerializeToString()
    return made


def _grpc_tensor(answer: bytes, name: str) -> Any:
    from tritonclient.grpc import InferResult, service_pb2

    return InferResult(service_pb2.ModelInferResponse.FromString(answer)).as_numpy(name)


@contextmanager
def _grpc(address: str) -> Iterator[Send]:
    import grpc

    with grpc.insecure_channel(address) as channel:
        yield partial(channel.unary_unary("/inference.GRPCInferenceService/ModelInfer"), timeout=SECONDS)


def http_texts(address: str, model: str) -> Way:
    """Texts to a model that tokenizes, over HTTP, plain JSON."""

    def labels(answer: dict[str, Any]) -> list[str]:
        predicts = next(tensor for tensor in answer["outputs"] if tensor["name"] == "predicts")
        named: list[str] = predicts["data"]
        return named[:: predicts["shape"][1]]

    return _posts(address, f"/v2/models/{model}/infer", lambda texts: _tensor("text_input", texts, [1]), labels)


def http_embeddings(address: str, model: str) -> Way:
    """Texts to an embedding model, as `http_texts`; there are no labels."""
    return _posts(address, f"/v2/models/{model}/infer", lambda texts: _tensor("text_input", texts, [1]), lambda _: [])


def openai_floats(address: str, model: str) -> Way:
    """Texts to /v1/embeddings of an image with --api; the answer has numbers, as that of Triton."""
    return _openai(address, model, "float")


def openai_base64(address: str, model: str) -> Way:
    """As `openai_floats`, with the encoding that OpenAI's client asks for."""
    return _openai(address, model, "base64")


def _openai(address: str, model: str, encoding: str) -> Way:
    def body(texts: list[str]) -> dict[str, Any]:
        return {"model": model, "input": texts, "encoding_format": encoding}

    return _posts(address, "/v1/embeddings", body, lambda _: [])


def mlserver_texts(address: str, _model: str) -> Way:
    """Texts to MLServer's Hugging Face runtime, which answers with JSON in tensors."""

    def labels(answer: dict[str, Any]) -> list[str]:
        return [json.loads(row)["label"] for row in answer["outputs"][0]["data"]]

    return _posts(address, "/v2/models/benchmark/infer", lambda texts: _tensor("array_inputs", texts, []), labels)


def fastapi_texts(address: str, _model: str) -> Way:
    """Texts to benchmarks/fastapi_app.py."""
    return _posts(address, "/classify", lambda texts: {"texts": texts}, lambda answer: answer["predicts"])


def infinity_texts(address: str, _model: str) -> Way:
    """Texts to infinity-emb, which scores all labels of each."""

    def labels(answer: dict[str, Any]) -> list[str]:
        return [max(row, key=lambda each: each["score"])["label"] for row in answer["data"]]

    return _posts(address, "/classify", lambda texts: {"model": "benchmark", "input": texts}, labels)


def _tensor(name: str, texts: list[str], dims: list[int]) -> dict[str, Any]:
    return {"inputs": [{"name": name, "shape": [len(texts), *dims], "datatype": "BYTES", "data": texts}]}


def _posts(
    address: str, path: str, body: Callable[[list[str]], dict[str, Any]], labels: Callable[[Any], list[str]]
) -> Way:
    def request(texts: list[str]) -> bytes:
        content = json.dumps(body(texts)).encode()
        head = f"POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n"
        return f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content

    return Way(body=request, labels=lambda answer: labels(json.loads(answer)), connected=partial(_http, address))


@contextmanager
def _http(address: str) -> Iterator[Send]:
    """One connection that is kept. http.client takes longer for a header than a small model for a text."""
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), SECONDS) as connection, connection.makefile("rb") as answers:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def send(request: bytes) -> bytes:
            connection.sendall(request)
            status, length = answers.readline(), 0
            while line := answers.readline().strip():
                name, _, value = line.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
            answer = answers.read(length)
            if status.split()[1:2] != [b"200"]:
                raise RuntimeError(f"{status.decode().strip()}: {answer[:200].decode('utf-8', 'replace')}")
            return answer

        yield send


KINDS: dict[str, Callable[[str, str], Way]] = {
    "grpc": grpc_texts,
    "http": http_texts,
    "http-embeddings": http_embeddings,
    "openai-floats": openai_floats,
    "openai-base64": openai_base64,
    "fastapi": fastapi_texts,
    "infinity": infinity_texts,
    "mlserver": mlserver_texts,
    "tokens": grpc_tokens,
}

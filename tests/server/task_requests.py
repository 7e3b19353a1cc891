"""Requests of several inputs, by both clients, and transformers' own pipelines to hold the answers against."""

import json
import os
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tritonclient.grpc
import tritonclient.http

from tests import shared_conversions, warm_builds
from utils import ROOT
from utils.host import environment
from utils.host.environments import SENTENCES, Environment
from utils.triton.address import ServerAddress


def build(
    *arguments: object, env: Mapping[str, str] | None = None, measured: bool = False, cwd: Path = ROOT
) -> "subprocess.CompletedProcess[str]":
    """The main script, without an image, and unless `measured` without a latency. `env` is added to the environment.

    With `env`, which libraries may read while they are imported, the script has a process of its own.
    """
    words = [*map(str, arguments), "--no-image", *([] if measured else ["--no-measure"])]
    variables = shared_conversions.environment(**(env or {}))
    if not env:
        return warm_builds.build(words, variables, cwd)
    command = [str(ROOT / "make_triton_image.sh"), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, env=variables, cwd=cwd)


def by_library(code: str | Path, *arguments: object, behind: Iterable[Environment] = ()) -> Any:
    """What a user's own call of sentence-transformers 5 prints last, as JSON; in a process of its own.

    `code` is Python, or a Path to it. Its first argument: packages to add to the path, with colons, also of the
    environments `behind`.
    """
    places = (SENTENCES, *behind)
    for each in places:
        environment.ensure(each)
    packages = ":".join(str(folder) for each in places for folder in each.site_packages)
    return json.loads(warm_builds.python(code, packages, *arguments).splitlines()[-1])


def ask(protocol: str, address: ServerAddress, model: str, inputs: Mapping[str, Any], parameters: Any = None) -> Any:
    """`inputs`: {name: nested lists of texts or bytes}; the answer's arrays by name. tritonclient's own errors."""
    client, port = {"http": (tritonclient.http, address.http), "grpc": (tritonclient.grpc, address.grpc)}[protocol]
    tensors = []
    for name, values in inputs.items():
        array: Any = np.array([[as_bytes(value) for value in row] for row in values], dtype=object)
        tensors.append(client.InferInput(name, list(array.shape), "BYTES"))
        tensors[-1].set_data_from_numpy(array)
    with client.InferenceServerClient(port) as server:
        result = server.infer(model, tensors, parameters=parameters)
        response = result.get_response()
    outputs = response["outputs"] if isinstance(response, dict) else response.outputs
    names = [each["name"] if isinstance(each, dict) else each.name for each in outputs]
    return {name: result.as_numpy(name) for name in names}


def as_bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else bytes(value.encode("utf-8"))


def post(address: ServerAddress, model: str, inputs: Mapping[str, Any]) -> tuple[int, Any]:
    """Plain JSON; (status, body). `inputs`: {name: (shape, data)}."""
    tensors = [
        {"name": name, "shape": shape, "datatype": "BYTES", "data": data} for name, (shape, data) in inputs.items()
    ]
    body = json.dumps({"inputs": tensors}).encode()
    request = urllib.request.Request(f"http://{address.http}/v2/models/{model}/infer", data=body)
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def original(model: Path, auto_class: str, pipeline: str) -> Any:
    """transformers' own pipeline on a saved model."""
    import transformers

    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    transformers.logging.set_verbosity_error()
    tokenizer = transformers.AutoTokenizer.from_pretrained(model)
    loaded = getattr(transformers, auto_class).from_pretrained(model).eval()
    if loaded.config.type_vocab_size == 1:  # as the tokenizer class of such a model's own says
        tokenizer.model_input_names = ["input_ids", "attention_mask"]
    return getattr(transformers, pipeline)(model=loaded, tokenizer=tokenizer, device=-1)

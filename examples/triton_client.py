"""Asks a served graph itself, without tokenizer or post-processing beside it: tokens go in, its numbers come out.

.venv/bin/python examples/triton_client.py bert ./model "How are you?"
"""

import argparse
import os
from typing import Any

import numpy as np
import tritonclient.grpc
import tritonclient.http
from transformers import AutoTokenizer
from tritonclient.utils import triton_to_np_dtype

Array = np.ndarray[Any, Any]
# What input__0, input__1 and input__2 of a TorchScript model take.
IN_ORDER = ("input_ids", "attention_mask", "token_type_ids")


def main() -> None:
    """Prints each output over HTTP, then over gRPC."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model_name", metavar="MODEL_NAME", help="the served model's name")
    parser.add_argument("tokenizer", metavar="TOKENIZER", help="what AutoTokenizer.from_pretrained() takes")
    parser.add_argument("texts", metavar="TEXT", nargs="+")
    parser.add_argument("--http", default="localhost:8000", help="default: %(default)s")
    parser.add_argument("--grpc", default="localhost:8001", help="default: %(default)s")
    given = parser.parse_args()
    # gRPC sends even requests to this machine to the proxy of the environment, which cannot reach it.
    os.environ["no_proxy"] = f"{os.environ.get('no_proxy') or os.environ.get('NO_PROXY', '')},localhost,127.0.0.1,::1"
    tokenizer = AutoTokenizer.from_pretrained(given.tokenizer)
    for library, address in ((tritonclient.http, given.http), (tritonclient.grpc, given.grpc)):
        with library.InferenceServerClient(address) as client:
            model = described(client, given.model_name)
            print(address)
            for name, array in ask(library, client, model, tokens(tokenizer, given.texts, model["inputs"])).items():
                print(f"{name}:\n{array}")


def described(client: Any, model_name: str) -> dict[str, Any]:
    """The model's metadata as a dict, from a client of either kind."""
    if isinstance(client, tritonclient.http.InferenceServerClient):
        return client.get_model_metadata(model_name)
    return client.get_model_metadata(model_name, as_json=True)


def tokens(tokenizer: Any, texts: list[str], inputs: list[dict[str, Any]]) -> dict[str, Array]:
    """One array for each input, of its type and, where it has a fixed one, its length."""
    length = int(inputs[0]["shape"][-1])
    fixed = {"padding": "max_length", "max_length": length} if length > 0 else {"padding": True}
    encoded = tokenizer(texts, truncation=True, return_tensors="np", **fixed)
    arrays = {}
    for place, tensor in enumerate(sorted(inputs, key=lambda each: each["name"])):
        kind = tensor["name"] if tensor["name"] in encoded else IN_ORDER[place]
        arrays[tensor["name"]] = encoded[kind].astype(triton_to_np_dtype(tensor["datatype"]))
    return arrays


def ask(library: Any, client: Any, model: dict[str, Any], arrays: dict[str, Array]) -> dict[str, Array]:
    """The outputs by name."""
    inputs = []
    for tensor in model["inputs"]:
        array = arrays[tensor["name"]]
        inputs.append(library.InferInput(tensor["name"], list(array.shape), tensor["datatype"]))
        inputs[-1].set_data_from_numpy(array)
    result = client.infer(model["name"], inputs)
    return {tensor["name"]: result.as_numpy(tensor["name"]) for tensor in model["outputs"]}


if __name__ == "__main__":
    main()

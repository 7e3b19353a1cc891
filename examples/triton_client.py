"""Client of a served graph without pre- and post-processing: sends tokens over HTTP and gRPC and prints the outputs.

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
# The meaning of input__0, input__1 and input__2 of a TorchScript model.
IN_ORDER = ("input_ids", "attention_mask", "token_type_ids")


def main() -> None:
    """Prints each output, first over HTTP and then over gRPC."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model_name", metavar="MODEL_NAME", help="the served model's name")
    parser.add_argument("tokenizer", metavar="TOKENIZER", help="what AutoTokenizer.from_pretrained() takes")
    parser.add_argument("texts", metavar="TEXT", nargs="+")
    parser.add_argument("--http", default="localhost:8000", help="default: %(default)s")
    parser.add_argument("--grpc", default="localhost:8001", help="default: %(default)s")
    arguments = parser.parse_args()
    # Without this, gRPC sends loopback requests to the proxy of the environment, which cannot reach this machine.
    os.environ["no_proxy"] = f"{os.environ.get('no_proxy') or os.environ.get('NO_PROXY', '')},localhost,127.0.0.1,::1"
    tokenizer = AutoTokenizer.from_pretrained(arguments.tokenizer)
    for library, address in ((tritonclient.http, arguments.http), (tritonclient.grpc, arguments.grpc)):
        with library.InferenceServerClient(address) as client:
            model = metadata(client, arguments.model_name)
            print(address)
            for name, array in infer(
                library, client, model, tokens(tokenizer, arguments.texts, model["inputs"])
            ).items():
                print(f"{name}:\n{array}")


def metadata(client: Any, model_name: str) -> dict[str, Any]:
    """Returns the model's metadata as a dict, from an HTTP or a gRPC client."""
    options = {} if isinstance(client, tritonclient.http.InferenceServerClient) else {"as_json": True}
    found: dict[str, Any] = client.get_model_metadata(model_name, **options)
    return found


def tokens(tokenizer: Any, texts: list[str], inputs: list[dict[str, Any]]) -> dict[str, Array]:
    """Returns one array per input, with its dtype and, if the model has a fixed length, that length."""
    length = int(inputs[0]["shape"][-1])
    fixed = {"padding": "max_length", "max_length": length} if length > 0 else {"padding": True}
    encoded = tokenizer(texts, truncation=True, return_tensors="np", **fixed)
    arrays = {}
    for position, tensor in enumerate(sorted(inputs, key=lambda each: each["name"])):
        kind = tensor["name"] if tensor["name"] in encoded else IN_ORDER[position]
        arrays[tensor["name"]] = encoded[kind].astype(triton_to_np_dtype(tensor["datatype"]))
    return arrays


def infer(library: Any, client: Any, model: dict[str, Any], arrays: dict[str, Array]) -> dict[str, Array]:
    """Returns the outputs by name."""
    inputs = []
    for tensor in model["inputs"]:
        array = arrays[tensor["name"]]
        inputs.append(library.InferInput(tensor["name"], list(array.shape), tensor["datatype"]))
        inputs[-1].set_data_from_numpy(array)
    result = client.infer(model["name"], inputs)
    return {tensor["name"]: result.as_numpy(tensor["name"]) for tensor in model["outputs"]}


if __name__ == "__main__":
    main()

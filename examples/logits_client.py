"""Client of a classifier served with --task logits: tokenizes, sends the tokens and converts logits to probabilities.

    .venv/bin/python examples/logits_client.py curse ./model "What a lovely day"

prints P(positive), the probability of the last class, for each text.
"""

import argparse
import os
from typing import Any

import numpy as np
import requests
from transformers import AutoTokenizer

TIMEOUT = 30  # seconds

Array = np.ndarray[Any, Any]


def main() -> None:
    """Prints one line per text."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model_name", metavar="MODEL_NAME")
    parser.add_argument("tokenizer", metavar="TOKENIZER", help="what AutoTokenizer.from_pretrained() takes")
    parser.add_argument("texts", metavar="TEXT", nargs="+")
    parser.add_argument("--url", default="http://localhost:8000", help="default: %(default)s")
    parser.add_argument(
        "--max-length", type=int, default=128, help="truncate texts to this many tokens (default: %(default)s)"
    )
    arguments = parser.parse_args()
    # Without this, requests sends loopback requests to the proxy of the environment, which cannot reach this machine.
    os.environ["no_proxy"] = f"{os.environ.get('no_proxy') or os.environ.get('NO_PROXY', '')},localhost,127.0.0.1,::1"
    tokenizer = AutoTokenizer.from_pretrained(arguments.tokenizer)
    model = f"{arguments.url}/v2/models/{arguments.model_name}"
    logits = infer(model, tokenizer(arguments.texts, padding=True, truncation=True, max_length=arguments.max_length))
    for text, probabilities in zip(arguments.texts, softmax(logits), strict=True):
        print(f"P(positive) = {probabilities[-1]:.4f}  {text}")


def infer(model: str, tokens: Any) -> Array:
    """Returns the logits [texts, classes]. Sends only the model's inputs: a tokenizer can return more arrays."""
    metadata = requests.get(model, timeout=TIMEOUT)
    metadata.raise_for_status()
    tensors = [
        {
            "name": tensor["name"],
            "shape": list(np.shape(tokens[tensor["name"]])),
            "datatype": tensor["datatype"],
            "data": np.asarray(tokens[tensor["name"]]).tolist(),
        }
        for tensor in metadata.json()["inputs"]
    ]
    response = requests.post(f"{model}/infer", json={"inputs": tensors}, timeout=TIMEOUT)
    response.raise_for_status()
    (output,) = response.json()["outputs"]
    logits: Array = np.array(output["data"]).reshape(output["shape"])
    return logits


def softmax(logits: Array) -> Array:
    """Softmax along the last axis. Subtracts the maximum first, so that no exponential overflows."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    probabilities: Array = powers / powers.sum(axis=-1, keepdims=True)
    return probabilities


if __name__ == "__main__":
    main()

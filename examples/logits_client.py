"""Asks a classifier served as its graph is (--task logits): tokens in, logits out, probabilities made of them here.

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


def main() -> None:
    """One line a text."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model_name", metavar="MODEL_NAME")
    parser.add_argument("tokenizer", metavar="TOKENIZER", help="what AutoTokenizer.from_pretrained() takes")
    parser.add_argument("texts", metavar="TEXT", nargs="+")
    parser.add_argument("--url", default="http://localhost:8000", help="default: %(default)s")
    parser.add_argument("--max-length", type=int, default=128, help="tokens of a text (default: %(default)s)")
    given = parser.parse_args()
    # requests sends even requests to this machine to the proxy of the environment, which cannot reach it.
    os.environ["no_proxy"] = f"{os.environ.get('no_proxy') or os.environ.get('NO_PROXY', '')},localhost,127.0.0.1,::1"
    tokenizer = AutoTokenizer.from_pretrained(given.tokenizer)
    model = f"{given.url}/v2/models/{given.model_name}"
    logits = ask(model, tokenizer(given.texts, padding=True, truncation=True, max_length=given.max_length))
    for text, probabilities in zip(given.texts, softmax(logits), strict=True):
        print(f"P(positive) = {probabilities[-1]:.4f}  {text}")


def ask(model: str, tokens: Any) -> np.ndarray[Any, Any]:
    """The logits [texts, classes]. Only what the model takes is sent: a tokenizer may give more."""
    described = requests.get(model, timeout=TIMEOUT)
    described.raise_for_status()
    tensors = [
        {
            "name": tensor["name"],
            "shape": list(np.shape(tokens[tensor["name"]])),
            "datatype": tensor["datatype"],
            "data": np.asarray(tokens[tensor["name"]]).tolist(),
        }
        for tensor in described.json()["inputs"]
    ]
    response = requests.post(f"{model}/infer", json={"inputs": tensors}, timeout=TIMEOUT)
    response.raise_for_status()
    (output,) = response.json()["outputs"]
    return np.array(output["data"]).reshape(output["shape"])


def softmax(logits: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Along the last axis; the largest is taken away first, so that no exponential overflows."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


if __name__ == "__main__":
    main()

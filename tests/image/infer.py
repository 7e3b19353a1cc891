"""Requests to both models of the small build trees, over both protocols."""

from typing import Any

import numpy as np
import tritonclient.grpc
import tritonclient.http

from utils.host.errors import BootProofError
from utils.triton.address import ServerAddress

TEXT = "naïve 日本語 🙂"


def infer(client: Any, address: str, model: str, name: str, array: Any, output: str) -> Any:
    with client.InferenceServerClient(address) as server:
        dtype = {"O": "BYTES", "f": "FP32"}[array.dtype.kind]
        tensor = client.InferInput(name, list(array.shape), dtype)
        tensor.set_data_from_numpy(array)
        return server.infer(model, [tensor]).as_numpy(output)


def infer_all(address: ServerAddress) -> None:
    """Sends a request to both models over both protocols; raises BootProofError as the boot proof does."""
    text = np.array([[TEXT.encode()], [b""]], dtype=object)
    numbers = np.array([[1.0, 2.0], [3.0, 4.0]], dtype=np.float32)
    for client, place in ((tritonclient.http, address.http), (tritonclient.grpc, address.grpc)):
        if infer(client, place, "echo", "text_input", text, "echo").tolist() != text.tolist():
            raise BootProofError("the echo differs")
        if infer(client, place, "double", "x", numbers, "y").tolist() != (2 * numbers).tolist():
            raise BootProofError("the double differs")

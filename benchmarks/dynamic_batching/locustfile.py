"""Users who each ask for one embedding after the other. EMBEDDING_MODEL names the served model."""

import os
import random
from typing import Any

from locust import FastHttpUser, constant, task

URL = f"/v2/models/{os.environ['EMBEDDING_MODEL']}/infer"
TEXT = "the rain will stop before noon and nobody at the station knows when their train is going to leave"
WORDS = TEXT.split()


class Reader(FastHttpUser):
    """Asks without a pause; texts of 3 to 24 words, the same sequence of them for every server."""

    wait_time = constant(0)
    seeds = iter(range(10_000))

    def on_start(self) -> None:
        """Each user has texts of its own."""
        self.random = random.Random(next(self.seeds))

    @task
    def embed(self) -> None:
        """One request, one text; an answer without an embedding in it counts as a failure."""
        text = " ".join(self.random.choices(WORDS, k=self.random.randint(3, 24)))
        tensor = {"name": "text_input", "shape": [1, 1], "datatype": "BYTES", "data": [text]}
        with self.client.post(URL, json={"inputs": [tensor]}, name="embed", catch_response=True) as response:
            if response.status_code != 200 or not _embedding(response.json()):
                response.failure(f"{response.status_code} {response.text[:100]}")


def _embedding(answer: dict[str, Any]) -> list[float]:
    return next((tensor["data"] for tensor in answer["outputs"] if tensor["name"] == "embedding"), [])

"""What the build knows of the served model: api.json (utils/factory/api_facts.py writes it)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Facts:
    """The members of api.json.

    routes: names of PROTOCOLS. model, version: as in Triton; version "": the one that Triton chooses. inputs, outputs:
    names of the served tensors, in the task's order. tokenizer: the folder of the tokenizing step in the repository.
    labels: all of the model. dimensions: the sizes of an embedding, () if unknown. score_function: "softmax",
    "sigmoid" or "none", of the scores of labels and ranks. about: "model_id", "revision" and "precision".
    """

    routes: Sequence[str]
    task: str
    model: str
    version: str
    max_batch_size: int
    inputs: Sequence[str]
    outputs: Sequence[str]
    tokenizer: str
    labels: Sequence[str]
    dimensions: Sequence[int]
    score_function: str
    about: Mapping[str, str]

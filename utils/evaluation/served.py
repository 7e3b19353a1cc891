"""The answers of a running server to any number of requests, in batches; only one batch is held in memory."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby, islice

from utils.proof.golden import GoldenRow, TensorValue
from utils.proof.verify import ask
from utils.repository.pipeline import Pipeline
from utils.triton.address import ServerAddress

Tensors = Mapping[str, TensorValue]


def served_answers(address: ServerAddress, pipeline: Pipeline, requests: Iterable[Tensors]) -> Iterator[Tensors]:
    """The answer to each request, in order. Neighbours whose tensors have the same shapes share a batch.

    Names are the served ones. Raises BootProofError if the server does not answer.
    """
    for _, group in groupby(requests, key=lambda request: [tensor.shape for tensor in request.values()]):
        rows = (GoldenRow(model=pipeline.model_name, batched=True, inputs=each, outputs={}) for each in group)
        while batch := list(islice(rows, pipeline.max_batch_size)):
            yield from ask(address, batch)

"""What a GPU gives a text classifier, with PyTorch alone: no server, no ONNX Runtime, random weights, MiniLM-L6's size.

`python -m benchmarks.gpu --device cuda` prints Markdown tables: texts/s against batch size by precision and form, the
agreement of reduced precisions with FP32 on a CPU, and the gain of padding to buckets. `--device cpu --seconds 0.1
--small` is a trial. Random weights give near ties more often than trained ones: the drift is what compares.
"""

import argparse
import copy
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import torch
from torch import nn

from utils.repository.steps import length_buckets

VOCABULARY, HEADS, LABELS, LIMIT = 30522, 12, 5, 128
USUAL, SMALL = (6, 384), (1, 48)  # (layers, width)
BATCHES = (1, 4, 16, 64)
PRECISIONS = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


class Encoder(nn.Module):
    """Token ids INT64 [B, L] and mask BOOL [B, L], true for tokens -> logits [B, LABELS]."""

    def __init__(self, layers: int, width: int) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(VOCABULARY, width), nn.Embedding(LIMIT, width)
        layer = nn.TransformerEncoderLayer(width, HEADS, 4 * width, 0.0, "gelu", batch_first=True)
        self.layers = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.head = nn.Linear(width, LABELS)

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """The logits of each text."""
        states = self.words(ids) + self.places(torch.arange(ids.shape[1], device=ids.device))
        states = self.layers(states, src_key_padding_mask=~mask)
        return torch.as_tensor(self.head(states[:, 0]))


Model = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def batch(lengths: Sequence[int], width: int, device: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Texts of these numbers of tokens, padded to `width`."""
    ids = torch.randint(1, VOCABULARY, (len(lengths), width), generator=torch.Generator().manual_seed(width))
    mask = torch.arange(width)[None] < torch.tensor(lengths)[:, None]
    return (ids * mask).to(device), mask.to(device)


def forms(model: nn.Module, device: str) -> Iterator[tuple[str, Model]]:
    """The model as it is, as TorchScript, and on a GPU as one CUDA graph for each shape."""
    yield "eager", model
    trace: Any = torch.jit.trace
    yield "TorchScript", torch.jit.freeze(trace(model, batch([8, 5], 8, device), check_trace=False))
    if device == "cuda":
        yield "CUDA graph", replayed(model)


def replayed(model: Model) -> Model:
    """Captures one graph for each shape, and replays it on copied inputs."""

    @lru_cache
    def captured(rows: int, width: int) -> tuple[torch.cuda.CUDAGraph, Any, torch.Tensor]:
        inputs, graph = batch([width] * rows, width, "cuda"), torch.cuda.CUDAGraph()
        model(*inputs)
        torch.cuda.synchronize()
        with torch.cuda.graph(graph):
            return graph, inputs, model(*inputs)

    def run(*values: torch.Tensor) -> torch.Tensor:
        graph, inputs, output = captured(*values[0].shape)
        for kept, new in zip(inputs, values, strict=True):
            kept.copy_(new)
        graph.replay()
        return output

    return run


def per_second(runs: Sequence[tuple[torch.Tensor, torch.Tensor]], model: Model, device: str, seconds: float) -> float:
    """Texts a second of these batches one after the other, answers on the CPU included; after one warm-up."""
    for inputs in runs:
        model(*inputs)
    done, begun = 0, time.perf_counter()
    while time.perf_counter() - begun < seconds:
        done += sum(len(model(*inputs).float().cpu()) for inputs in runs)
    return done / (time.perf_counter() - begun)


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Prints Markdown."""
    for row in (head, ["---"] * len(head), *rows):
        print(f"| {' | '.join(map(str, row))} |")
    print(flush=True)


def against_batch_size(models: Mapping[str, nn.Module], device: str, seconds: float, length: int = 32) -> None:
    """Prints texts/s."""
    runs = [[batch([length] * size, length, device)] for size in BATCHES]
    rows = [[precision, form, *(f"{per_second(each, run, device, seconds):.0f}" for each in runs)]
            for precision, model in models.items() for form, run in forms(model, device)]  # fmt: skip
    table([f"texts/s, {length} tokens", "form", *(f"batch {size}" for size in BATCHES)], rows)


def agreement(reference: nn.Module, models: Mapping[str, nn.Module], device: str) -> None:
    """Prints it of each precision with FP32 on the CPU."""
    lengths, rows = [4 + place % 60 for place in range(128)], []
    expected = reference(*batch(lengths, 64, "cpu")).softmax(-1)
    for precision, model in models.items():
        found = model(*batch(lengths, 64, device)).float().cpu().softmax(-1)
        same, drift = (expected.argmax(-1) == found.argmax(-1)).float().mean(), (expected - found).abs().max()
        rows.append([precision, f"{100 * same:.2f}%", f"{drift:.1e}"])
    table([f"{device} against FP32 on the CPU", "same label", "largest drift"], rows)


def padding(models: Mapping[str, nn.Module], device: str, seconds: float, size: int = 16) -> None:
    """A queue of 64 texts of mixed lengths, run as each of three ways would."""
    lengths = torch.randint(4, LIMIT, (64,), generator=torch.Generator().manual_seed(0)).tolist()
    bucket = {length: next(each for each in length_buckets(LIMIT) if each >= length) for length in lengths}
    merged = [[each for each in lengths if bucket[each] == width] for width in sorted(set(bucket.values()))]
    ways = {
        "each alone": [batch([length], length, device) for length in lengths],
        "merged by bucket": [batch(each[start : start + size], bucket[each[0]], device)
                             for each in merged for start in range(0, len(each), size)],
        f"merged, padded to {LIMIT}": [batch(lengths[at : at + size], LIMIT, device) for at in range(0, 64, size)],
    }  # fmt: skip
    rows = [[name, *(f"{per_second(runs, model, device, seconds):.0f}" for model in models.values())]
            for name, runs in ways.items()]  # fmt: skip
    table([f"texts/s, lengths 4 to {LIMIT}, batches of {size}", *models], rows)


def main() -> None:
    """Prints all tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--seconds", type=float, default=1.0, help="of each measurement")
    parser.add_argument("--small", action="store_true", help="a trial")
    options = parser.parse_args()
    torch.manual_seed(0)
    with torch.inference_mode():
        reference = Encoder(*(SMALL if options.small else USUAL)).eval()
        models = {name: copy.deepcopy(reference).to(options.device, kind) for name, kind in PRECISIONS.items()}
        print(f"torch {torch.__version__}, {torch.cuda.get_device_name() if options.device == 'cuda' else 'cpu'}\n")
        agreement(reference, models, options.device)
        padding(models, options.device, options.seconds)
        against_batch_size(models, options.device, options.seconds)


if __name__ == "__main__":
    main()

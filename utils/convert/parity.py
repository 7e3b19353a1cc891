"""Compares the exported graph with the PyTorch model on padded batches of texts of different lengths."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from utils.convert.exporters import open_exporter
from utils.convert.types import FrozenTokenizer, Session, Text
from utils.host.errors import ParityError
from utils.host.exceptions import brief
from utils.repository.pipeline import Graph
from utils.repository.served_code import load_shared

# Correct exports differ by at most 3e-6 (measured); wrong padding or masks differ by far more.
TOLERANCE = 1e-3
BATCH_SIZES = (1, 2, 3, 5)
# Outputs whose largest value is a choice: of a label, or of a position in the text.
CHOICES = ("logits", "start_logits", "end_logits")


@dataclass(frozen=True, kw_only=True)
class Parity:
    """`max_difference` over all outputs; `agreement`: the share of equal choices.

    `first`: the first position that differs by more than the tolerance, with both values; "" if none does.
    """

    texts: int
    max_difference: float
    agreement: float
    agrees: bool
    first: str = ""

    def __str__(self) -> str:
        return (
            f"largest difference {self.max_difference:.2g} (allowed {TOLERANCE:g}), "
            f"same choice for {self.agreement:.1%}{self.first and f', first {self.first}'}"
        )


def check_outputs(
    graph: Graph,
    frozen: FrozenTokenizer,
    texts: tuple[Text, ...],
    expected: Sequence[dict[str, np.ndarray]],
    *,
    max_batch_size: int,
) -> Parity:
    """Runs the graph on each text alone, then on ragged batches; ParityError (5) if an output or a choice differs.

    expected: PyTorch's outputs, one {name: FP32 array} for each text alone; the padding of a row is not compared. The
    tolerance is absolute, scaled for large values.
    """
    answer = _answering(graph, frozen)
    largest = {name: max(float(np.abs(row[name]).max(initial=0)) for row in expected) for name in expected[0]}
    tolerances = {name: TOLERANCE * max(1.0, size) for name, size in largest.items()}
    singles, batches = _ragged_batches(len(texts), 1 if frozen.settings["padding"] is None else max_batch_size)
    fixed = (frozen.settings["padding"] or {}).get("length") is not None
    alone = _compare(answer, texts, expected, singles, tolerances, padded=fixed)
    if not alone.agrees:
        raise ParityError(f"the {graph.format} graph and PyTorch differ: {alone}; nothing was built")
    padded = _compare(answer, texts, expected, batches, tolerances, padded=True)
    if not padded.agrees:
        raise ParityError(
            f"the {graph.format} graph and PyTorch differ when texts of different lengths share a batch: {padded}; "
            "each text alone agrees; the answers of this model depend on padding: build with MAX_BATCH_SIZE 1; nothing "
            "was built"
        )
    compared = alone.texts + padded.texts
    return Parity(
        texts=compared,
        max_difference=max(alone.max_difference, padded.max_difference),
        agreement=(alone.agreement * alone.texts + padded.agreement * padded.texts) / compared,
        agrees=True,
    )


def _answering(graph: Graph, frozen: FrozenTokenizer) -> Callable[[list[Text]], dict[str, np.ndarray]]:
    """Runs texts through the served tokenization and the graph's own runtime."""
    served = load_shared("tokenization")
    tokenizer = served.load_tokenizer(frozen.file, frozen.settings)
    dtypes = {tensor.name: tensor.dtype.lower() for tensor in graph.inputs}
    names = [tensor.name for tensor in graph.outputs]
    session: Session | None = None

    def answer(texts: list[Text]) -> dict[str, np.ndarray]:
        nonlocal session
        try:
            session = session or open_exporter(graph.format).open_session(graph)
            outputs = session(served.encode(tokenizer, texts, dtypes))
        except Exception as error:  # ONNX Runtime's own classes share no base
            raise ParityError(f"the {graph.format} graph cannot be run on {texts[0][:60]!r}: {brief(error)}") from error
        return {name: output.astype(np.float32) for name, output in zip(names, outputs, strict=True)}

    return answer


def _compare(
    answer: Callable[[list[Text]], dict[str, np.ndarray]],
    texts: tuple[Text, ...],
    expected: Sequence[dict[str, np.ndarray]],
    batches: list[list[int]],
    tolerances: dict[str, float],
    *,
    padded: bool,
) -> Parity:
    differences, choices, compared, first = [0.0], [], 0, ""
    for rows in batches:
        outputs = answer([texts[row] for row in rows])
        compared += len(rows)
        for name, batch in outputs.items():
            if batch.shape[:1] != (len(rows),):
                raise ParityError(f"the graph gives {name} {list(batch.shape)} for {len(rows)} texts")
        for name, tolerance in tolerances.items():
            for place, row in enumerate(rows):
                reference = expected[row][name]
                output = outputs[name][place]
                if padded:
                    output = output[tuple(slice(size) for size in reference.shape)]
                difference = _difference(name, output, reference, texts[row])
                differences.append(difference)
                if not first and difference > tolerance:
                    first = _position(name, output, reference, tolerance, texts[row])
                if name in CHOICES:
                    choices.append(_same_choice(output, reference))
    agreement = float(np.mean(choices)) if choices else 1.0
    return Parity(
        texts=compared,
        max_difference=max(differences),
        agreement=agreement,
        agrees=not first and agreement == 1,
        first=first,
    )


def _position(name: str, output: np.ndarray, reference: np.ndarray, tolerance: float, text: Text) -> str:
    """The first number that differs by more than `tolerance`, with both values."""
    index = tuple(int(each) for each in np.argwhere(np.abs(output - reference) > tolerance)[0])
    return f"{name}{list(index)} for {text[:60]!r} is {output[index]:.9g} where PyTorch gives {reference[index]:.9g}"


def _difference(name: str, output: np.ndarray, reference: np.ndarray, text: Text) -> float:
    """The largest difference of one row without its padding."""
    if output.shape != reference.shape:
        raise ParityError(f"the graph gives {name} {list(output.shape)}; PyTorch gives {list(reference.shape)} a text")
    difference = np.abs(output - reference)
    if not np.isfinite(difference).all():
        raise ParityError(f"the {name} for {text[:60]!r} are not finite; nothing was built")
    return float(difference.max(initial=0))


def _same_choice(output: np.ndarray, reference: np.ndarray) -> bool:
    """Whether the graph's best choice is PyTorch's best, or within the tolerance of it."""
    chosen = np.take_along_axis(reference, output.argmax(axis=-1, keepdims=True), axis=-1)
    return bool((reference.max(axis=-1, keepdims=True) - chosen <= TOLERANCE).all())


def _ragged_batches(count: int, largest: int) -> tuple[list[list[int]], list[list[int]]]:
    """Every text alone, and batches of each size up to `largest` of neighbours with different lengths."""
    sizes = [size for size in BATCH_SIZES if 1 < size <= largest]
    batches = [list(range(start, min(start + size, count))) for size in sizes for start in range(0, count, size)]
    return [[row] for row in range(count)], batches

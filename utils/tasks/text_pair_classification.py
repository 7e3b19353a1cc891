"""Classification of text pairs: two texts in, the best labels and their scores out."""

from collections.abc import Sequence
from dataclasses import replace

from utils.convert.types import Example, Settings, Text
from utils.repository.corpus import GOLDEN_PAIRS
from utils.repository.steps import text_input
from utils.tasks import text_classification

SHORT = "Is it so?"


def pairs(_: Settings, example: Example) -> Sequence[Text]:
    """The pair, or the first text alone if the second is empty, as in transformers' pipelines."""
    text, pair = example["text_input"], example["text_pair"]
    return ((text, pair) if pair else text,)


def probes(texts: Sequence[str]) -> Sequence[Example]:
    """Each text as the first and as the second of a pair with a short one."""
    both = [pair for text in texts for pair in ((text, SHORT), (SHORT, text))]
    return [{"text_input": text, "text_pair": pair} for text, pair in both]


# Like text classification but for the request: the tokenizer joins a pair to one row.
TASK = replace(
    text_classification.TASK,
    name="text-pair-classification",
    inputs=(text_input(), text_input("text_pair")),
    examples=tuple({"text_input": text, "text_pair": pair} for text, pair in GOLDEN_PAIRS),
    probes=probes,
    texts=pairs,
    variants={},
)

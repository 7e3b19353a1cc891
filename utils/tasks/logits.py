"""A classifier's graph alone: token arrays in, logits out."""

from collections.abc import Sequence

from utils.convert.task import ModelTask
from utils.convert.types import Conversion, Example, ReferenceModel, Settings, Tensors
from utils.proof.golden import numbers
from utils.repository.corpus import GOLDEN_TEXTS
from utils.repository.served_code import load_shared
from utils.repository.steps import bare_graph


def requests(conversion: Conversion, max_batch_size: int) -> list[Tensors]:
    """The token arrays of the texts. Every second text is padded to one length, so that requests share batches.

    Only if MAX_BATCH_SIZE is above 1: parity of padded rows was checked for such builds only.
    """
    served = load_shared("tokenization")
    tokenizer = served.load_tokenizer(conversion.tokenizer.file, conversion.tokenizer.settings)
    dtypes = {tensor.name: tensor.dtype.lower() for tensor in conversion.graph.inputs}
    texts = [example["text"] for example in conversion.examples]
    batches = [[text] for text in texts]
    if conversion.tokenizer.settings["padding"] is not None and max_batch_size > 1:
        batches = [texts[1::2], *([text] for text in texts[::2])]
    rows = {}
    for batch in filter(None, batches):
        arrays = served.encode(tokenizer, batch, dtypes)
        for place, text in enumerate(batch):
            rows[text] = {
                tensor.name: numbers(tensor.dtype, arrays[tensor.name][place]) for tensor in conversion.graph.inputs
            }
    return [rows[text] for text in texts]


def answer(reference: ReferenceModel, _: Settings, examples: Sequence[Example]) -> list[Tensors]:
    """PyTorch's logits, each text alone."""
    del examples  # one text each, in the order of the outputs
    return [{"logits": numbers("FP32", outputs["logits"])} for outputs in reference.outputs]


TASK = ModelTask(
    name="logits",
    pipeline_tag="text-classification",
    origins=("graph", "transformers"),
    export_task="text-classification",
    auto_class="AutoModelForSequenceClassification",
    inputs=(),
    outputs=lambda _settings, _graph: (),  # those of the graph, under their own names
    layouts={"direct": (bare_graph,)},
    resolve_settings=lambda _config, _labels, _options: {},
    examples=tuple({"text": text} for text in GOLDEN_TEXTS),
    probes=lambda texts: [{"text": text} for text in texts],
    texts=lambda _, example: (example["text"],),
    answer=answer,
    requests=requests,
    takes_labels=False,
)

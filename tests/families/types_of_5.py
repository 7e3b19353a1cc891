"""Run by a Python that has transformers 5: the types it has for each task, and why some of them cannot be served."""

import importlib
import re
from dataclasses import dataclass, replace
from typing import Any

from utils.convert.task import ModelTask
from utils.sources import supported_types
from utils.targets.exporters import DYNAMO
from utils.tasks import TASKS as ROWS


@dataclass(frozen=True, kw_only=True)
class Head:
    """A task of the exporter: the class of transformers, the mapping of types to it, and the outputs of its graphs."""

    auto_class: str
    mapping: str
    outputs: tuple[str, ...] = ("logits",)


# Without question answering: transformers 5 has no pipeline for it, whose answers an image is compared with.
TASKS = {
    "text-classification": Head(
        auto_class="AutoModelForSequenceClassification", mapping="MODEL_FOR_SEQUENCE_CLASSIFICATION"
    ),
    "token-classification": Head(
        auto_class="AutoModelForTokenClassification", mapping="MODEL_FOR_TOKEN_CLASSIFICATION"
    ),
    "fill-mask": Head(auto_class="AutoModelForMaskedLM", mapping="MODEL_FOR_MASKED_LM"),
    "feature-extraction": Head(auto_class="AutoModel", mapping="MODEL", outputs=("last_hidden_state",)),
}
CLASSIFYING = ("text-classification", "token-classification")
# Parameters of a model without which its answer has no meaning.
MORE = {
    "bbox": "it reads more than text: the position of each word on the page (bbox)",
    "xpath_tags_seq": "it reads more than text: the XPath of each word in a web page (xpath_tags_seq)",
    "visual_feats": "it reads more than text: the features of regions of a picture (visual_feats)",
}
TABLES = "it reads more than text: the row and the column of each token in a table (token_type_ids)"
# What the errors of torch, transformers and ONNX Runtime mean. The first that fits is the reason.
REASONS = {
    "grouped_mm|aten_histc": "transformers 5 computes its experts by a grouped product, for which ONNX has no operator",
    "complex-valued": "it turns its rotary angles by complex numbers, for which ONNX has no operator",
    "conflicts between user-specified ranges": "its exported graph would have a fixed number of texts or tokens",
    "data-dependent|DataDependent": "the shapes in its graph would depend on the values of its inputs",
    "cannot be run on|ONNX Runtime cannot load": "its exported graph fails in ONNX Runtime",
    "exactly one of input_ids or inputs_embeds": "its decoder needs an input of its own, which no text gives",
    "requires the .* library": "its model needs a library that the exporter's environment lacks",
    "PyTorch fails on": "its PyTorch model fails on a text of a few tokens",
    "missing 1 required": "its model with this head needs other inputs than those of a text",
    "are not those of 20 tokens": "its model with this head has no output for each token",
    "OpOverload": "torch cannot translate one of its operators to ONNX",
}


def every() -> dict[str, list[str]]:
    """{task: the types} of those that classify texts or tokens.

    Names that share a config class with another type are left out: config.json has that one.
    """
    from transformers import CONFIG_MAPPING
    from transformers.models.auto import modeling_auto

    mappings = {task: getattr(modeling_auto, f"{head.mapping}_MAPPING_NAMES") for task, head in TASKS.items()}
    headed = {name for task in CLASSIFYING for name in mappings[task]}
    kept = {name for name in headed if name in CONFIG_MAPPING and CONFIG_MAPPING[name].model_type == name}
    return {task: sorted(kept & {*names}) for task, names in mappings.items()}


def row(task: str) -> ModelTask:
    """The task for one text, with its graph compared and no answers."""
    plain, head = ROWS["text-classification"], TASKS[task]
    assert isinstance(plain, ModelTask)
    return replace(
        plain,
        export_task=task,
        auto_class=head.auto_class,
        graph_outputs=head.outputs,
        unneeded=("pooler",) if task == "feature-extraction" else (),
        answer=lambda *_: [],
    )


def more_than_text(task: str, model_type: str) -> str:
    """What the model reads beside a text, as a reason; "" for a model of texts."""
    import inspect

    import transformers
    from transformers import CONFIG_MAPPING

    config_class: Any = CONFIG_MAPPING[model_type]
    if hasattr(config_class(), "type_vocab_sizes"):
        return TABLES
    model_class = getattr(transformers, TASKS[task].auto_class)._model_mapping[config_class]
    if isinstance(model_class, tuple):
        model_class = model_class[0]
    parameters = inspect.signature(model_class.forward).parameters
    return next((reason for name, reason in MORE.items() if name in parameters), "")


def reason(error: str) -> str:
    """The reason that an error is, in words that end a sentence."""
    known = (words for pattern, words in REASONS.items() if re.search(pattern, error))
    return next(known, f"its conversion fails ({error[:160]})")


def allow_every_type(types: dict[str, list[str]]) -> None:
    """Lets the conversion try types that the tables refuse: what becomes of them is what the walk finds."""
    module: Any = importlib.import_module(supported_types.__name__)
    module.BY_DYNAMO = {task: tuple(names) for task, names in types.items()}
    module.REFUSED[DYNAMO] = {}

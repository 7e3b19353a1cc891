"""Token classification: a text in, its entities out, as in transformers' pipeline."""

import json
from collections.abc import Sequence

from utils.convert.task import Guard, ModelTask, TaskOption
from utils.convert.types import Example, ReferenceModel, Settings, Tensors
from utils.proof.golden import texts
from utils.repository.corpus import GOLDEN_TEXTS
from utils.repository.pipeline import Graph, Ingredients, Step
from utils.repository.steps import graph_step, id2label, step_of, text_input, text_preprocessing, tokenizer_file
from utils.repository.tensors import TensorSpec
from utils.sources.model_config import ModelConfig

# The pipeline's aggregation strategies.
AGGREGATIONS = ("none", "simple", "first", "average", "max")
NAMES = (
    "My name is Wolfgang Müller-Lüdenscheidt and I live in New York, near O'Hare's bakery.",
    "Анна Каренина едет из Санкт-Петербурга в Москву.",
    "王小明は2024年に東京のソニーで働いていました。",
)


AGGREGATION = TaskOption(
    name="aggregation",
    metavar="HOW",
    help="how tokens become entities: none, simple, first, average or max (default: simple)",
    choices=AGGREGATIONS,
)


def token_classification(ingredients: Ingredients) -> Step:
    """Converts logits and their texts to entities."""
    return step_of(
        ingredients,
        "token_classification",
        inputs=(*ingredients.graph.outputs, *ingredients.inputs),
        files=tokenizer_file(ingredients),
        documents={
            "settings.json": {**ingredients.settings, "tokenization": dict(ingredients.tokenization)},
            "id2label.json": id2label(ingredients.labels),
        },
    )


def entities(_: Settings, __: Graph) -> tuple[TensorSpec, ...]:
    """One JSON array per text."""
    return (TensorSpec(name="entities", dtype="BYTES", dims=(1,)),)


def resolve_settings(_: ModelConfig, __: tuple[str, ...], options: Settings) -> Settings:
    """The strategy; nothing depends on the model's config."""
    return {"aggregation": options.get("aggregation", "simple")}


def answer(reference: ReferenceModel, settings: Settings, examples: Sequence[Example]) -> list[Tensors]:
    """The entities of transformers' pipeline, with the served labels."""
    from transformers import TokenClassificationPipeline

    pipeline = TokenClassificationPipeline(
        model=reference.labelled_model(),
        tokenizer=reference.fitting_tokenizer(),
        device=-1,
        aggregation_strategy=settings["aggregation"],
    )
    found = (pipeline(example["text_input"]) for example in examples)
    return [{"entities": texts([json.dumps(each, ensure_ascii=False, default=float)])} for each in found]


TASK = ModelTask(
    name="token-classification",
    pipeline_tag="token-classification",
    export_task="token-classification",
    auto_class="AutoModelForTokenClassification",
    inputs=(text_input(),),
    outputs=entities,
    layouts={"ensemble": (text_preprocessing, graph_step, token_classification)},
    resolve_settings=resolve_settings,
    examples=tuple({"text_input": text} for text in (*GOLDEN_TEXTS, *NAMES)),
    answer=answer,
    options=(AGGREGATION,),
    guard=Guard(rule=lambda _: "softmax"),
    right_answers=lambda _settings, _size: "entities",
)

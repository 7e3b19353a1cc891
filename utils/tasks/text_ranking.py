"""Text ranking by a cross-encoder: a query and a text in, one score out; the higher, the better the text fits."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from utils.errors import SourceError, UsageError
from utils.golden import TensorValue, numbers
from utils.json_file import read_json
from utils.model_config import ModelConfig
from utils.pipeline import Graph, Ingredients, Step
from utils.steps import fused, graph_step, text_preprocessing
from utils.tasks import text_pair_classification
from utils.tasks.task import Example, Guard, Settings, Task, TaskOption
from utils.tensors import TensorSpec

if TYPE_CHECKING:
    from utils.original import Original

# What a config may name as the model's own -> the rule of model_repository/shared/scoring.py.
ACTIVATIONS = {"Sigmoid": "sigmoid", "Identity": "none"}


def parse_activation(text: str) -> str:
    """--activation; UsageError for one that there is not."""
    if text not in ACTIVATIONS.values():
        raise UsageError(f"--activation {text!r} is not known; choose one of: {', '.join(ACTIVATIONS.values())}")
    return text


ACTIVATION = TaskOption(
    name="activation",
    metavar="NAME",
    help="of a ranking score: sigmoid or none (default: the model's)",
    parse=parse_activation,
)


def text_ranking(ingredients: Ingredients) -> Step:
    """Logits to scores."""
    return Step(
        model_name=ingredients.name_of("text_ranking"),
        component="text_ranking",
        max_batch_size=ingredients.max_batch_size,
        inputs=ingredients.graph.outputs,
        outputs=ingredients.outputs,
        documents={"settings.json": dict(ingredients.settings)},
    )


def fused_scores(ingredients: Ingredients) -> Step:
    """Pairs of texts to scores, in one."""
    return fused(ingredients, "ranking_scores")


def score(_: Settings, __: Graph) -> tuple[TensorSpec, ...]:
    """One number a pair."""
    return (TensorSpec(name="scores", dtype="FP32", dims=(1,)),)


def settle(config: ModelConfig, _: tuple[str, ...], options: Settings) -> Settings:
    """How a logit becomes a score: --activation, else what the model's config says, else sigmoid."""
    if config.head_size != 1:
        raise SourceError(
            f"the model's head has {config.head_size} outputs ({str(config.file)!r}), and a ranking score is one "
            "number; give a model with one output, or build with --task text-pair-classification"
        )
    return {"activation": options.get("activation") or _own_activation(config)}


def _own_activation(config: ModelConfig) -> str:
    """As sentence-transformers' CrossEncoder finds it (5.1, and before 4.0 in a place of its own); by default sigmoid.

    Many rerankers say Identity there: theirs are logits, which a sigmoid would flatten.
    """
    content = read_json(config.file, "save the model again")
    own = content.get("sentence_transformers")
    named = own.get("activation_fn") if isinstance(own, dict) else None
    named = named or content.get("sbert_ce_default_activation_function") or "torch.nn.Sigmoid"
    name = str(named).rpartition(".")[2]
    if name not in ACTIVATIONS or not str(named).startswith("torch."):
        raise SourceError(
            f"{str(config.file)!r} names the activation {named!r}, which is not served; choose with --activation "
            f"one of: {', '.join(ACTIVATIONS.values())}"
        )
    return ACTIVATIONS[name]


def answer(original: "Original", settings: Settings, _: Sequence[Example]) -> list[Mapping[str, TensorValue]]:
    """Scores by torch itself, not by the code that will serve."""
    import torch

    functions: Mapping[str, Callable[[torch.Tensor], torch.Tensor]] = {"sigmoid": torch.sigmoid, "none": torch.clone}
    function = functions[settings["activation"]]
    return [
        {"scores": numbers("FP32", function(torch.tensor(outputs["logits"])).numpy())} for outputs in original.outputs
    ]


TASK = Task(
    name="text-ranking",
    export_task="text-classification",
    auto_class="AutoModelForSequenceClassification",
    graph_outputs=("logits",),
    inputs=text_pair_classification.TASK.inputs,
    outputs=score,
    layouts={"ensemble": (text_preprocessing, graph_step, text_ranking), "fused": (fused_scores,)},
    settle=settle,
    examples=text_pair_classification.TASK.examples,
    texts=text_pair_classification.pairs,
    answer=answer,
    takes_labels=False,
    options=(ACTIVATION,),
    guard=Guard(rule=lambda _: "none"),
    sentences=True,
)

"""Text classification: a text in, its best labels and their scores out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from utils.corpus import GOLDEN_TEXTS
from utils.errors import UsageError
from utils.golden import TensorValue, texts
from utils.model_config import SCORE_FUNCTIONS, ModelConfig
from utils.numbers import whole_number
from utils.pipeline import Graph, Ingredients, Step
from utils.steps import fused, graph_step, id2label, text_input, text_preprocessing
from utils.tasks.task import Example, Guard, Settings, Task, TaskOption
from utils.tensors import TensorSpec

if TYPE_CHECKING:
    from utils.original import Original

TOP_K = TaskOption(
    name="top_k",
    metavar="K",
    help="labels in an answer (default: 1; all for multi-label)",
    parse=lambda text: whole_number("--top-k", text),
)


def post_processing(ingredients: Ingredients) -> Step:
    """Logits to labels and scores."""
    return Step(
        model_name=ingredients.name_of("post_processing"),
        component="post_processing",
        max_batch_size=ingredients.max_batch_size,
        inputs=ingredients.graph.outputs,
        outputs=ingredients.outputs,
        documents={"settings.json": dict(ingredients.settings), "id2label.json": id2label(ingredients.labels)},
    )


def fused_labels(ingredients: Ingredients) -> Step:
    """All three steps in one."""
    step = fused(ingredients, "ranked_labels")
    return replace(step, documents={**step.documents, "id2label.json": id2label(ingredients.labels)})


def ranked_labels(settings: Settings, _: Graph) -> tuple[TensorSpec, ...]:
    """The K best labels and their scores."""
    k = settings["top_k"]
    return (
        TensorSpec(name="predicts", dtype="BYTES", dims=(k,)),
        TensorSpec(name="scores", dtype="FP32", dims=(k,)),
    )


def settle(config: ModelConfig, labels: tuple[str, ...], options: Settings) -> Settings:
    """How logits become scores, and K: --top-k, else all labels of a multi-label head and one of any other."""
    k = options.get("top_k") or (config.head_size if config.problem_type == "multi_label_classification" else 1)
    if k > config.head_size:
        raise UsageError(f"--top-k {k} is more than the model has labels; give at most {config.head_size}")
    return {"score_function": SCORE_FUNCTIONS[config.problem_type], "top_k": k}


def answer(original: "Original", settings: Settings, examples: Sequence[Example]) -> list[Mapping[str, TensorValue]]:
    """All labels, best first, with their scores: the served answer holds the first K of them.

    Scores by torch itself, not by the code that will serve: two independent ways to one number.
    """
    import torch

    functions: Mapping[str, Callable[[torch.Tensor], torch.Tensor]] = {
        "softmax": lambda logits: torch.softmax(logits, dim=-1),
        "sigmoid": torch.sigmoid,
        "none": lambda logits: logits,
    }
    answers: list[Mapping[str, TensorValue]] = []
    for outputs in original.outputs:
        scores = functions[settings["score_function"]](torch.tensor(outputs["logits"])).tolist()
        ranking = sorted(range(len(scores)), key=lambda index: -scores[index])
        answers.append(
            {
                "predicts": texts([original.labels[index] for index in ranking]),
                "scores": TensorValue(
                    datatype="FP32", shape=(len(scores),), data=tuple(scores[index] for index in ranking)
                ),
            }
        )
    return answers


def relabelled(answer: Mapping[str, TensorValue], labels: tuple[str, ...]) -> Mapping[str, TensorValue]:
    """Numbers become the labels that stand there."""
    return {**answer, "predicts": texts([labels[int(number)] for number in answer["predicts"].data])}


TASK = Task(
    name="text-classification",
    export_task="text-classification",
    auto_class="AutoModelForSequenceClassification",
    graph_outputs=("logits",),
    inputs=(text_input(),),
    outputs=ranked_labels,
    layouts={"ensemble": (text_preprocessing, graph_step, post_processing), "fused": (fused_labels,)},
    settle=settle,
    examples=tuple({"text_input": text} for text in GOLDEN_TEXTS),
    texts=lambda _, example: (example["text_input"],),
    answer=answer,
    comparison="ranking",
    options=(TOP_K,),
    relabelled=relabelled,
    unheeded=("top_k",),
    guard=Guard(rule=lambda settings: str(settings["score_function"]), labelled=True),
)

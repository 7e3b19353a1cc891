"""Text classification: a text in, its best labels and their scores out."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from utils.convert.activations import ACTIVATION, OF_PIPELINE, chosen
from utils.convert.task import Guard, ModelTask, TaskOption
from utils.convert.types import Example, ReferenceModel, Settings, Tensors
from utils.host.errors import UsageError
from utils.host.numbers import whole_number
from utils.host.progress import note
from utils.proof.golden import ranking, texts
from utils.repository.pipeline import Graph, Ingredients, Step
from utils.repository.steps import fused, graph_step, id2label, step_of, text_input, text_preprocessing
from utils.repository.tensors import TensorSpec
from utils.sources.model_config import SCORE_FUNCTIONS, ModelConfig
from utils.tasks import setfit

TOP_K = TaskOption(
    name="top_k",
    metavar="K",
    help="labels in an answer (default: 1; all for multi-label), or weights of a sparse embedding (default: all)",
    parse=lambda text: whole_number("--top-k", text),
)


def post_processing(ingredients: Ingredients) -> Step:
    """Logits to labels and scores."""
    documents = {"settings.json": _how(ingredients.settings), "id2label.json": id2label(ingredients.labels)}
    return step_of(ingredients, "post_processing", inputs=ingredients.graph.outputs, documents=documents)


def fused_labels(ingredients: Ingredients) -> Step:
    """Tokenization, graph and post-processing in one step."""
    step = fused(ingredients, "ranked_labels", _how(ingredients.settings))
    return replace(step, documents={**step.documents, "id2label.json": id2label(ingredients.labels)})


def _how(settings: Settings) -> Settings:
    """The settings of post-processing; the others are for the report."""
    return {name: settings[name] for name in ("score_function", "top_k")}


def ranked_labels(settings: Settings, _: Graph) -> tuple[TensorSpec, ...]:
    """The K best labels and their scores."""
    k = settings["top_k"]
    return (
        TensorSpec(name="predicts", dtype="BYTES", dims=(k,)),
        TensorSpec(name="scores", dtype="FP32", dims=(k,)),
    )


def resolve_settings(config: ModelConfig, labels: tuple[str, ...], options: Settings) -> Settings:
    """The activation, and K: --top-k, else all labels of a multi-label head and 1 of any other.

    `score_rule` says whose rule the function is: the "option"'s, the "pipeline"'s of transformers, or "raw-value" for
    one output without a problem_type: the loss takes that for a regression, the pipeline gives its value's sigmoid.
    """
    k = options.get("top_k") or (config.head_size if config.problem_type == "multi_label_classification" else 1)
    if k > config.head_size:
        raise UsageError(f"--top-k {k} is more than the model has labels; give at most {config.head_size}")
    option = chosen(options, OF_PIPELINE, "text-classification")
    if option is not None:
        return {"score_function": option, "score_rule": "option", "top_k": k}
    if config.head_size == 1 and not config.names_problem:
        note(
            "scores are the model's raw values: it has one output and config.json names no problem_type, so "
            "transformers trains it as a regression; transformers' pipeline gives their sigmoid: --activation sigmoid "
            "serves that"
        )
        return {"score_function": "none", "score_rule": "raw-value", "top_k": k}
    return {"score_function": _of_pipeline(config), "score_rule": "pipeline", "top_k": k}


def _of_pipeline(config: ModelConfig) -> str:
    """The rule of TextClassificationPipeline.postprocess: one output gets a sigmoid unless it is a regression."""
    function = SCORE_FUNCTIONS[config.problem_type]
    return "sigmoid" if config.head_size == 1 and function == "softmax" else function


def answer(reference: ReferenceModel, settings: Settings, examples: Sequence[Example]) -> list[Tensors]:
    """All labels, best first, with their scores, by transformers' pipeline.

    The served answer holds the first K of them. The pipeline chooses how logits become scores, unless the option does
    or the raw value is served.
    """
    from transformers import TextClassificationPipeline

    function = {} if settings["score_rule"] == "pipeline" else {"function_to_apply": settings["score_function"]}
    pipeline = TextClassificationPipeline(
        model=reference.labelled_model(), tokenizer=reference.fitting_tokenizer(), device=-1, top_k=None, **function
    )
    answers = (pipeline(_of(example), truncation=True) for example in examples)
    return [ranking([each["label"] for each in labels], [each["score"] for each in labels]) for labels in answers]


def _of(example: Example) -> Mapping[str, str]:
    """A text or a pair in the pipeline's form."""
    pair = {"text_pair": example["text_pair"]} if "text_pair" in example else {}
    return {"text": example["text_input"], **pair}


def right_answers(settings: Settings, head_size: int) -> str:
    """One label, several, or a number, as the scores of the model are; UsageError for several raw values."""
    if settings["score_function"] != "none":
        return {"softmax": "label", "sigmoid": "labels"}[settings["score_function"]]
    if head_size == 1:
        return "value"
    if settings["score_rule"] == "option":
        return "raw-label"
    raise UsageError(
        f"--eval-file holds one number for each text of a regression, and this model gives {head_size}; leave it out"
    )


def relabelled(answer: Tensors, labels: tuple[str, ...]) -> Tensors:
    """Replaces label numbers by the labels."""
    return {**answer, "predicts": texts([labels[int(number)] for number in answer["predicts"].data])}


TASK = ModelTask(
    name="text-classification",
    pipeline_tag="text-classification",
    export_task="text-classification",
    auto_class="AutoModelForSequenceClassification",
    inputs=(text_input(),),
    outputs=ranked_labels,
    layouts={"ensemble": (text_preprocessing, graph_step, post_processing), "fused": (fused_labels,)},
    resolve_settings=resolve_settings,
    answer=answer,
    comparison="ranking",
    options=(TOP_K, ACTIVATION),
    relabelled=relabelled,
    not_in_cache_key=("top_k",),
    guard=Guard(rule=lambda settings: str(settings["score_function"])),
    right_answers=right_answers,
    variants={"setfit": setfit.VARIANT},
)

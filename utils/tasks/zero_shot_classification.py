"""Zero-shot classification: a text and candidate labels in, the labels ranked by an inference model out."""

from collections.abc import Sequence
from typing import Any

from utils.convert.task import ModelTask, TaskOption
from utils.convert.types import Example, ReferenceModel, Settings, Tensors
from utils.host.errors import SourceError, UsageError
from utils.proof.golden import ranking
from utils.repository.pipeline import Graph, Ingredients, Step
from utils.repository.steps import calling_step, graph_step, text_input
from utils.repository.tensors import TensorSpec
from utils.sources.model_config import ModelConfig

DEFAULT_TEMPLATE = "This example is {}."
LABELS = ("sports", "politics", "technology", "weather", "cooking")
EXAMPLES = (
    ("Heavy rain is expected tonight, with storms along the coast.", LABELS),
    ("The parliament votes on the new budget tomorrow.", LABELS),
    ("Сборная выиграла матч со счётом 3:1", ("спорт", "политика", "погода")),
    ("今日はとても良い天気ですね。", ("天気", "料理", "スポーツ")),
    ("슈퍼 엔저 장기화에 한국 수출에 비상등", ("경제", "날씨")),
    ("مرحبا بالعالم", ("تحية", "سؤال", "شكوى")),
    ("L'épicerie vend du fromage à 12,50 € 😀", ("one label only",)),
    ("{} {{ braces }} ${shell}", ("{{ label }}", "{}", 'say "hi", then\nstop')),
    (
        "The recipe asks for flour, and for butter, and for eggs. " * 120,
        ("cooking", "law", "a very long journey by sea"),
    ),
)


def parse_template(text: str) -> str:
    """A template with one {} for the label; UsageError otherwise."""
    try:
        filled = {text.format(label) for label in ("one", "another")}
    except (LookupError, ValueError, AttributeError):
        filled = set()
    if len(filled) < 2:
        raise UsageError(f"--hypothesis-template {text!r} has no place for a label; write {{}} where it goes, once")
    return text


HYPOTHESIS_TEMPLATE = TaskOption(
    name="hypothesis_template",
    metavar="TEXT",
    help=f'sentence that is made of a label (default: "{DEFAULT_TEMPLATE}")',
    parse=parse_template,
)
MULTI_LABEL = TaskOption(name="multi_label", help="score each candidate label independently")


def zero_shot_classification(ingredients: Ingredients) -> Step:
    """The served model: makes a hypothesis of each label, calls the graph and ranks the labels."""
    return calling_step(ingredients, "zero_shot_classification", ingredients.settings)


def outputs(_: Settings, __: Graph) -> tuple[TensorSpec, ...]:
    """All candidate labels, best first, and their scores."""
    return TensorSpec(name="predicts", dtype="BYTES", dims=(-1,)), TensorSpec(name="scores", dtype="FP32", dims=(-1,))


def resolve_settings(_: ModelConfig, labels: tuple[str, ...], options: Settings) -> Settings:
    """The index of the entailment output, found by its label as in transformers."""
    found = [index for index, label in enumerate(labels) if label.lower().startswith("entail")]
    if len(found) != 1 or len(labels) < 2:
        raise SourceError(
            f"the model's labels are {', '.join(map(repr, labels))}; zero-shot classification takes a model of natural "
            "language inference, with one label that starts with 'entail' and one or two others: "
            "give such a model, or name its labels in ID2LABEL"
        )
    return {
        "entailment": found[0],
        "hypothesis_template": options.get("hypothesis_template", DEFAULT_TEMPLATE),
        "multi_label": bool(options.get("multi_label")),
    }


def pairs(settings: Settings, example: Example) -> list[tuple[str, str]]:
    """The text beside the hypothesis of each label."""
    template = settings["hypothesis_template"]
    return [(example["text_input"], template.format(label)) for label in example["candidate_labels"]]


def fits(tokenizer: Any, settings: Settings, limit: int | None, example: Example) -> bool:
    """Whether every hypothesis, which is never truncated, leaves room for the text in a row of `limit` tokens."""
    if limit is None:
        return True
    room = limit - tokenizer.num_special_tokens_to_add(pair=True)
    hypotheses = [hypothesis for _, hypothesis in pairs(settings, example)]
    return all(len(ids) < room for ids in tokenizer(hypotheses, add_special_tokens=False)["input_ids"])


def answer(reference: ReferenceModel, settings: Settings, examples: Sequence[Example]) -> list[Tensors]:
    """The ranking of transformers' pipeline with this build's labels."""
    from transformers import ZeroShotClassificationPipeline

    reference.model.config.label2id = {label: index for index, label in enumerate(reference.labels)}
    pipeline = ZeroShotClassificationPipeline(model=reference.model, tokenizer=reference.fitting_tokenizer(), device=-1)
    answers: list[Tensors] = []
    for example in examples:
        result = pipeline(
            example["text_input"],
            candidate_labels=list(example["candidate_labels"]),
            hypothesis_template=settings["hypothesis_template"],
            multi_label=settings["multi_label"],
        )
        answers.append(ranking(result["labels"], result["scores"]))
    return answers


TASK = ModelTask(
    name="zero-shot-classification",
    pipeline_tag="zero-shot-classification",
    export_task="text-classification",
    auto_class="AutoModelForSequenceClassification",
    inputs=(text_input(), TensorSpec(name="candidate_labels", dtype="BYTES", dims=(-1,))),
    outputs=outputs,
    layouts={"direct": (zero_shot_classification, graph_step)},
    formats=("onnx",),  # its step calls the graph by tensor names, which only ONNX keeps
    resolve_settings=resolve_settings,
    examples=tuple({"text_input": text, "candidate_labels": labels} for text, labels in EXAMPLES),
    probes=lambda texts: [{"text_input": text, "candidate_labels": LABELS[:2]} for text in texts],
    texts=pairs,
    fits=fits,
    answer=answer,
    comparison="ranking",
    options=(HYPOTHESIS_TEMPLATE, MULTI_LABEL),
    right_answers=lambda settings, _size: "candidates" if settings["multi_label"] else "candidate",
)

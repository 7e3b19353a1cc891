"""Text ranking by a cross-encoder: a query and a text in, their score out, or the score of each of its labels."""

from collections.abc import Sequence
from dataclasses import replace

from utils.convert.activations import ACTIVATION, OF_TORCH, chosen, of_torch
from utils.convert.task import Guard, ModelTask
from utils.convert.types import Example, ReferenceModel, Settings, Tensors, Text
from utils.host.errors import UsageError
from utils.host.json_file import read_json
from utils.proof.golden import numbers
from utils.repository.pipeline import Graph, Ingredients, Step
from utils.repository.steps import fused, graph_step, step_of, text_preprocessing
from utils.repository.tensors import TensorSpec
from utils.sources.model_config import ModelConfig
from utils.sources.sentence_folder import OWN_CONFIG, SentenceFolder, read_ranking_folder
from utils.tasks import text_pair_classification
from utils.tasks.prompts import PROMPT_NAME, argument, limits_of, prompted, prompts_of, with_text


def pair_preprocessing(ingredients: Ingredients) -> Step:
    """Tokenizes pairs of texts."""
    return text_preprocessing(_with_empty_pairs(ingredients))


def _with_empty_pairs(ingredients: Ingredients) -> Ingredients:
    """Keeps an empty second text as a text (`joined` in model_repository/shared/tokenization.py)."""
    return replace(ingredients, tokenization={**ingredients.tokenization, "keeps_empty_pair": True})


def text_ranking(ingredients: Ingredients) -> Step:
    """Logits to scores."""
    documents = {"settings.json": _how(ingredients.settings)}
    return step_of(ingredients, "text_ranking", inputs=ingredients.graph.outputs, documents=documents)


def fused_scores(ingredients: Ingredients) -> Step:
    """Tokenization, graph and scoring in one step."""
    return fused(_with_empty_pairs(ingredients), "ranking_scores", _how(ingredients.settings))


def _how(settings: Settings) -> Settings:
    """The settings of scoring; the conversion reads the others."""
    return {"activation": settings["activation"]}


def scores(_: Settings, graph: Graph) -> tuple[TensorSpec, ...]:
    """One number per pair and output of the head."""
    return (TensorSpec(name="scores", dtype="FP32", dims=graph.outputs[0].dims[-1:]),)


def resolve_settings(config: ModelConfig, _: tuple[str, ...], options: Settings) -> Settings:
    """The activation (--activation, else the model's own or the library's default), the prompts and the token limit."""
    folder = read_ranking_folder(config.file.parent)
    option = chosen(options, tuple(OF_TORCH.values()), "text-ranking")
    return {
        "activation": option or _own_activation(config, folder),
        **prompts_of(folder, options, config),
        **({"score_rule": "option"} if option else {}),
        **limits_of(folder, config),
    }


def _own_activation(config: ModelConfig, folder: SentenceFolder) -> str:
    """The activation as CrossEncoder finds it in the files of versions 6, 4 to 5, and before 4.

    Its default is a sigmoid for one output, and the logits themselves for more. Many rerankers name Identity: their
    scores are logits, which a sigmoid would flatten.
    """
    if folder.activation is not None:
        return of_torch(folder.activation, str(config.file.parent / OWN_CONFIG))
    content = read_json(config.file, "save the model again")
    own = content.get("sentence_transformers")
    named = own.get("activation_fn") if isinstance(own, dict) else None
    named = named or content.get("sbert_ce_default_activation_function")
    if named is None:
        return "sigmoid" if config.head_size == 1 else "none"
    return of_torch(named, str(config.file))


def further(settings: Settings) -> list[Example]:
    """Golden requests for each prompt with a text of its own, beside the usual ones."""
    return [{**pair, **each} for each in with_text(settings) for pair in text_pair_classification.TASK.examples[:2]]


def pairs(settings: Settings, example: Example) -> Sequence[Text]:
    """The pair, with its second text even if empty, and the prompt before the first, as in CrossEncoder.predict."""
    return ((prompted(settings, example), example["text_pair"]),)


def answer(reference: ReferenceModel, settings: Settings, examples: Sequence[Example]) -> list[Tensors]:
    """The scores of sentence-transformers' CrossEncoder.predict."""
    from utils.convert.sentence_answers import answers

    pairs = [(example["text_input"], example["text_pair"]) for example in examples]
    options = [argument(settings, example) for example in examples]
    scores = answers("CrossEncoder", reference, settings, pairs, options)
    return [{"scores": numbers("FP32", each)} for each in scores]


def right_answers(_: Settings, head_size: int) -> str:
    """A score; UsageError for a model of several."""
    if head_size != 1:
        raise UsageError(f"--eval-file holds one score for each pair, and this model gives {head_size}; leave it out")
    return "score"


TASK = ModelTask(
    name="text-ranking",
    pipeline_tag="text-ranking",
    export_task="text-classification",
    auto_class="AutoModelForSequenceClassification",
    inputs=text_pair_classification.TASK.inputs,
    outputs=scores,
    layouts={"ensemble": (pair_preprocessing, graph_step, text_ranking), "fused": (fused_scores,)},
    resolve_settings=resolve_settings,
    examples=text_pair_classification.TASK.examples,
    probes=text_pair_classification.probes,
    texts=pairs,
    answer=answer,
    further=further,
    parameters=("prompt_name",),
    takes_labels=False,
    library="sentence-transformers",
    options=(ACTIVATION, PROMPT_NAME),
    guard=Guard(rule=lambda _: "none"),
    right_answers=right_answers,
    sentences=True,
)

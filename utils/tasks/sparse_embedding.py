"""Sparse embedding: a text in, the tokens of the vocabulary that stand for it and their weights out, as SPLADE."""

from collections.abc import Sequence
from dataclasses import replace

from utils.convert.completed_model import with_sparse_weights
from utils.convert.task import Guard, ModelTask
from utils.convert.types import Example, ReferenceModel, Settings, Tensors
from utils.host.errors import SourceError
from utils.proof.golden import numbers
from utils.repository.corpus import GOLDEN_TEXTS
from utils.repository.pipeline import Graph, Ingredients, Step
from utils.repository.steps import fused, graph_step, step_of, text_input, text_preprocessing
from utils.repository.tensors import TensorSpec
from utils.sources.model_config import ModelConfig
from utils.sources.sentence_folder import read_sparse_folder
from utils.sources.sentence_modules import MODULES
from utils.tasks.prompts import PROMPT_NAME, argument, limits_of, prompted, prompts_of, with_text
from utils.tasks.text_classification import TOP_K


def sparse_embedding(ingredients: Ingredients) -> Step:
    """The weights of the whole vocabulary to those above zero and their tokens."""
    prompts = {name: ingredients.tokenization.get(name) for name in ("prompts", "default_prompt")}
    documents = {"settings.json": {**_how(ingredients.settings), **prompts}}
    return step_of(ingredients, "sparse_embedding", inputs=ingredients.graph.outputs, documents=documents)


def fused_weights(ingredients: Ingredients) -> Step:
    """Tokenization, graph and selection in one step."""
    return fused(ingredients, "sparse_weights", _how(ingredients.settings))


def _how(settings: Settings) -> Settings:
    """The settings of the selection; a request may choose another `top_k` (request_choices.py)."""
    return {"top_k": settings["top_k"], "chooses_top_k": True}


def tokens(ingredients: Ingredients) -> Step:
    """Tokenizes texts with their prompts; a request may have a parameter for the step after the graph."""
    own = _how(ingredients.settings)
    return text_preprocessing(replace(ingredients, tokenization={**ingredients.tokenization, **own}))


def indices_and_weights(_: Settings, __: Graph) -> tuple[TensorSpec, ...]:
    """Token ids and their weights: as many as the text with the most in the request has."""
    return (
        TensorSpec(name="indices", dtype="INT64", dims=(-1,)),
        TensorSpec(name="weights", dtype="FP32", dims=(-1,)),
    )


def resolve_settings(config: ModelConfig, _: tuple[str, ...], options: Settings) -> Settings:
    """The folder's SpladePooling and prompts, --top-k or the folder's limit, the token limit and the case of texts.

    SourceError for a plain folder without a masked-language head: SparseEncoder would add layers of random weights.
    """
    is_plain = not (config.file.parent / MODULES).exists()
    if is_plain and not any(name.endswith("ForMaskedLM") for name in config.architectures):
        raise SourceError(
            f"{str(config.file)!r} has the class {', '.join(config.architectures) or 'of no name'} (architectures); a "
            "sparse embedding needs a SparseEncoder of sentence-transformers, or a class ending in ForMaskedLM"
        )
    folder, pooling = read_sparse_folder(config.file.parent)
    top_k = options.get("top_k", folder.max_active_dims)
    return {**pooling, "top_k": top_k, **prompts_of(folder, options, config), **limits_of(folder, config)}


def further(settings: Settings) -> list[Example]:
    """Golden requests for each prompt with a text of its own and for fewer weights, beside the usual ones."""
    named = with_text(settings)
    chosen = [*named, {"top_k": 1}, {**(named[-1] if named else {}), "top_k": min(settings["top_k"] or 5, 5)}]
    return [{"text_input": text, **each} for each in chosen for text in GOLDEN_TEXTS[:2]]


def answer(reference: ReferenceModel, settings: Settings, examples: Sequence[Example]) -> list[Tensors]:
    """The weights above zero of sentence-transformers' SparseEncoder.encode, in the order of their tokens."""
    from utils.convert.sentence_answers import answers

    options = [
        {**argument(settings, example), "max_active_dims": example.get("top_k", settings["top_k"])}
        for example in examples
    ]
    texts = [example["text_input"] for example in examples]
    dense = answers("SparseEncoder", reference, settings, texts, options)
    return [
        {"indices": numbers("INT64", each.nonzero()[0]), "weights": numbers("FP32", each[each.nonzero()])}
        for each in dense
    ]


TASK = ModelTask(
    name="sparse-embedding",
    pipeline_tag="feature-extraction",
    export_task="fill-mask",
    auto_class="AutoModelForMaskedLM",
    inputs=(text_input(),),
    outputs=indices_and_weights,
    layouts={"ensemble": (tokens, graph_step, sparse_embedding), "fused": (fused_weights,)},
    resolve_settings=resolve_settings,
    texts=lambda settings, example: (prompted(settings, example),),
    answer=answer,
    further=further,
    parameters=("prompt_name", "top_k"),
    comparison="sparse",
    takes_labels=False,
    library="sentence-transformers",
    unneeded=("pooler",),
    options=(TOP_K, PROMPT_NAME),
    guard=Guard(rule=lambda _: "cosine"),
    sentences=True,
    complete=with_sparse_weights,
    head_size=lambda config: config.vocab_size or -1,
)

"""Feature extraction: a text in, its embedding out, as sentence-transformers gives it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from utils.convert.task import Guard, ModelTask, TaskOption
from utils.convert.types import Example, ReferenceModel, Settings, Tensors
from utils.host.errors import ExportError
from utils.proof.golden import numbers
from utils.repository.corpus import GOLDEN_TEXTS
from utils.repository.pipeline import Graph, Ingredients, Step
from utils.repository.steps import fused, graph_step, text_input, text_preprocessing
from utils.repository.tensors import TensorSpec
from utils.sources.model_config import ModelConfig
from utils.sources.sentence_folder import POOLINGS, read_sentence_folder

POOLING = TaskOption(
    name="pooling",
    metavar="HOW",
    help="pooling of the tokens: mean, cls or max (default: the model's, or mean)",
    choices=POOLINGS,
)
NORMALIZE = TaskOption(name="normalize", help="scale embeddings to length 1 (default: the model's)")


def pooling(ingredients: Ingredients) -> Step:
    """Pools the states of all tokens, by the attention mask, to one embedding."""
    graph = ingredients.graph
    masks = tuple(tensor for tensor in graph.inputs if tensor.name == "attention_mask")
    if not masks:
        taken = ", ".join(tensor.name for tensor in graph.inputs)
        raise ExportError(f"the graph takes {taken} and no attention_mask, by which tokens are pooled")
    return Step(
        model_name=ingredients.name_of("pooling"),
        component="pooling",
        max_batch_size=ingredients.max_batch_size,
        inputs=(*masks, *graph.outputs),
        outputs=ingredients.outputs,
        documents={"settings.json": _how(ingredients.settings)},
    )


def _how(settings: Settings) -> Settings:
    """The settings of pooling (model_repository/shared/pooled_embeddings.py); the conversion reads the others."""
    names = ("pooling", "normalize", "truncate_dim", "normalize_truncated")
    return {name: settings[name] for name in names if name in settings}


def fused_embeddings(ingredients: Ingredients) -> Step:
    """Tokenization, graph and pooling in one step."""
    return fused(replace(ingredients, settings=_how(ingredients.settings)), "pooled_embeddings")


def resolve_settings(config: ModelConfig, _: tuple[str, ...], options: Settings) -> Settings:
    """The pooling (options before the folder's files), the token limit and the case of texts.

    The folder's truncate_dim follows its Normalize, and --normalize follows both, as in SentenceTransformer.encode.
    """
    folder = read_sentence_folder(config.file.parent, pooling=options.get("pooling"))
    normalize = bool(options.get("normalize"))
    settings: dict[str, object] = {"pooling": folder.pooling or "mean", "normalize": normalize or folder.normalize}
    if folder.truncate_dim is not None:
        settings |= {"truncate_dim": folder.truncate_dim, "normalize_truncated": normalize}
    if folder.max_length is not None:
        settings["max_length"] = min(folder.max_length, config.longest_text or folder.max_length)
    if folder.lower_case:
        settings["lower_case"] = True
    return settings


def answer(reference: ReferenceModel, settings: Settings, examples: Sequence[Example]) -> list[Tensors]:
    """The embeddings of sentence-transformers' encode."""
    from utils.convert.sentence_answers import encode

    encoded = encode(reference, settings, [example["text_input"] for example in examples])
    return [{"embedding": numbers("FP32", embedding)} for embedding in encoded]


def embeddings(reference: ReferenceModel, settings: Settings) -> list[Any]:
    """The embedding of each text, FP32 [D], pooled by torch from its own tokens, without padding."""
    import torch
    from torch.nn.functional import normalize

    pooled_texts = []
    for outputs in reference.outputs:
        states = torch.tensor(outputs["last_hidden_state"])
        pooled = {"mean": states.mean(dim=0), "cls": states[0], "max": states.amax(dim=0)}[settings["pooling"]]
        embedding = normalize(pooled, dim=0) if settings["normalize"] else pooled
        embedding = embedding[: settings.get("truncate_dim")]
        embedding = normalize(embedding, dim=0) if settings.get("normalize_truncated") else embedding
        pooled_texts.append(embedding.numpy())
    return pooled_texts


def embedding(settings: Settings, graph: Graph) -> tuple[TensorSpec, ...]:
    """The size of a token's state, or truncate_dim if that is smaller."""
    (size,) = graph.outputs[0].dims[-1:]
    kept = settings.get("truncate_dim")
    return (TensorSpec(name="embedding", dtype="FP32", dims=(size if kept is None else min(kept, size),)),)


TASK = ModelTask(
    name="feature-extraction",
    export_task="feature-extraction",
    auto_class="AutoModel",
    graph_outputs=("last_hidden_state",),
    inputs=(text_input(),),
    outputs=embedding,
    layouts={"ensemble": (text_preprocessing, graph_step, pooling), "fused": (fused_embeddings,)},
    resolve_settings=resolve_settings,
    examples=tuple({"text_input": text} for text in GOLDEN_TEXTS),
    probes=lambda texts: [{"text_input": text} for text in texts],
    texts=lambda _, example: (example["text_input"],),
    answer=answer,
    takes_labels=False,
    library="sentence-transformers",
    unneeded=("pooler",),
    options=(POOLING, NORMALIZE),
    guard=Guard(rule=lambda _: "cosine", values=embeddings),
    sentences=True,
)

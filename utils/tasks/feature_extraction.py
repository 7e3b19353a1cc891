"""Feature extraction: a text in, its embedding out, as sentence-transformers gives it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from utils.convert.sentence_weights import read_weights, write_weights
from utils.convert.task import Guard, ModelTask, TaskOption
from utils.convert.types import Example, ReferenceModel, Settings, Tensors
from utils.host.errors import ExportError, SourceError, UsageError
from utils.host.numbers import require_known, whole_number
from utils.proof.golden import numbers
from utils.repository.corpus import GOLDEN_TEXTS
from utils.repository.pipeline import Graph, Ingredients, Step
from utils.repository.served_code import load_shared
from utils.repository.steps import fused, graph_step, step_of, text_input, text_preprocessing
from utils.repository.tensors import TensorSpec
from utils.sources.model_config import ModelConfig
from utils.sources.sentence_folder import read_sentence_folder
from utils.sources.sentence_modules import POOLINGS
from utils.tasks.prompts import PROMPT_NAME, argument, limits_of, prompted, prompts_of, with_text

# Golden requests for each prompt and each size beside the usual one.
TEXTS_OF_A_CHOICE = GOLDEN_TEXTS[:2]


def _modes(text: str) -> tuple[str, ...]:
    """The poolings in `text`, separated by commas."""
    modes = tuple(each.strip() for each in text.split(","))
    for mode in modes:
        require_known("--pooling", mode, POOLINGS)
    return modes


def _sizes(text: str) -> tuple[int, ...]:
    """The sizes in `text`, the usual one first."""
    sizes = tuple(whole_number("--dimensions", each.strip()) for each in text.split(","))
    if len(set(sizes)) < len(sizes):
        raise UsageError(f"--dimensions {text!r} has a size twice; give each once")
    return sizes


POOLING = TaskOption(
    name="pooling",
    metavar="HOW",
    help=f"pooling of the tokens: {', '.join(POOLINGS)}, or several with commas (default: the model's)",
    parse=_modes,
)
NORMALIZE = TaskOption(name="normalize", help="scale embeddings to length 1 (default: the model's)")
DIMENSIONS = TaskOption(
    name="dimensions",
    metavar="N,...",
    help="numbers of an embedding that are kept; a request may choose any of several (default: the model's)",
    parse=_sizes,
)


def pooling(ingredients: Ingredients) -> Step:
    """The states of all tokens, by the attention mask, to one embedding."""
    graph = ingredients.graph
    masks = tuple(tensor for tensor in graph.inputs if tensor.name == "attention_mask")
    if not masks:
        taken = ", ".join(tensor.name for tensor in graph.inputs)
        raise ExportError(f"the graph takes {taken} and no attention_mask, by which tokens are pooled")
    prompts = {name: ingredients.tokenization.get(name) for name in ("prompts", "default_prompt")}
    return step_of(
        ingredients,
        "pooling",
        inputs=(*masks, *graph.outputs),
        files={file.name: file for file in ingredients.files},
        documents={"settings.json": {**_how(ingredients.settings), **prompts}},
    )


def tokens(ingredients: Ingredients) -> Step:
    """Tokenizes texts with their prompts; a request may have a parameter for the step after the graph."""
    own = {"dimensions": ingredients.settings.get("dimensions", ())}
    return text_preprocessing(replace(ingredients, tokenization={**ingredients.tokenization, **own}))


def _how(settings: Settings) -> Settings:
    """The settings of model_repository/shared/pooled_embeddings.py; the conversion reads the others."""
    how = {"modules": list(settings["modules"].values()), "normalize": settings["normalize"]}
    return {**how, **({"dimensions": settings["dimensions"]} if "dimensions" in settings else {})}


def fused_embeddings(ingredients: Ingredients) -> Step:
    """Tokenization, graph and pooling in one step."""
    return fused(ingredients, "pooled_embeddings", _how(ingredients.settings))


def resolve_settings(config: ModelConfig, _: tuple[str, ...], options: Settings) -> Settings:
    """The modules, prompts and sizes (options before the folder's files), the token limit and the case of texts.

    The numbers that are kept are cut after the folder's own modules, and --normalize follows, as in
    SentenceTransformer.encode.
    """
    folder = read_sentence_folder(config.file.parent, pooling=options.get("pooling", ()))
    modules = folder.modules or ({"type": "Pooling", "modes": options.get("pooling") or _usual_pooling(config)},)
    require_activations(modules, config)
    settings: dict[str, object] = {
        "modules": {str(each.get("path", f"{place}_{each['type']}")): each for place, each in enumerate(modules, 1)},
        "normalize": bool(options.get("normalize")),
        **prompts_of(folder, options, config),
        "include_prompt": folder.include_prompt,
        "similarity": folder.similarity,
    }
    if sizes := options.get("dimensions") or (folder.truncate_dim and (folder.truncate_dim,)):
        settings["dimensions"] = sizes
    return {**settings, **limits_of(folder, config)}


def _usual_pooling(config: ModelConfig) -> tuple[str, ...]:
    """As the library pools a folder without modules: a model saved for generation by its last token."""
    is_generator = bool(config.architectures) and config.architectures[0].endswith("ForCausalLM")
    return ("lasttoken",) if is_generator else ("mean",)


def require_activations(modules: Sequence[Mapping[str, Any]], config: ModelConfig) -> None:
    """SourceError for a Dense module with an activation that is not served."""
    known = load_shared("pooled_embeddings").ACTIVATIONS
    for module in modules:
        if module.get("activation", "Identity") not in known:
            raise SourceError(
                f"the module {module['path']!r} beside {str(config.file)!r} has the activation {module['activation']}, "
                f"which is not served; those of torch.nn that are: {', '.join(known)}"
            )


def further(settings: Settings) -> list[Example]:
    """Golden requests for each prompt with a text of its own and each size, beside the usual ones."""
    named = with_text(settings)
    chosen = named + [{"dimensions": size} for size in settings.get("dimensions", ())[1:]]
    if named and chosen[-1].keys() == {"dimensions"}:
        chosen.append({**named[-1], **chosen[-1]})
    return [{"text_input": text, **each} for each in chosen for text in TEXTS_OF_A_CHOICE]


def texts(settings: Settings, example: Example) -> tuple[str]:
    """The text of a request behind its prompt."""
    return (prompted(settings, example),)


def fits(tokenizer: Any, settings: Settings, limit: int | None, example: Example) -> bool:
    """Whether a token follows those of the prompt that are not pooled; the server refuses other texts."""
    from utils.convert.tokenization import prompt_tokens

    if settings["include_prompt"]:
        return True
    (text,) = texts(settings, example)
    prompt = text.removesuffix(example["text_input"])
    return len(tokenizer(text)["input_ids"]) > prompt_tokens(tokenizer, prompt, limit)


def answer(reference: ReferenceModel, settings: Settings, examples: Sequence[Example]) -> list[Tensors]:
    """The embeddings of sentence-transformers' encode."""
    from utils.convert.sentence_answers import answers

    usual = settings.get("dimensions", (None,))[0]
    options = [
        {**argument(settings, example), "truncate_dim": example.get("dimensions", usual)} for example in examples
    ]
    texts = [example["text_input"] for example in examples]
    embeddings = answers("SentenceTransformer", reference, settings, texts, options)
    return [{"embedding": numbers("FP32", each)} for each in embeddings]


def embeddings(reference: ReferenceModel, settings: Settings) -> list[Any]:
    """The embedding of each text, FP32 [D], from its own tokens, without padding."""
    served, modules = load_shared("pooled_embeddings"), list(settings["modules"].values())
    weights = read_weights(reference.folders.model, modules) if reference.folders else {}
    states = [outputs["last_hidden_state"][None] for outputs in reference.outputs]
    return [served.embed(each, served.np.ones(each.shape[:2]), modules, weights)[0] for each in states]


def embedding(settings: Settings, graph: Graph) -> tuple[TensorSpec, ...]:
    """The size of the last module's output, or the smaller one of `dimensions`; free if there are several.

    UsageError for a larger one of several, which no request can have.
    """
    modules = list(settings["modules"].values())
    (state,) = graph.outputs[0].dims[-1:]
    pooled = state * len(modules[0]["modes"]) if state > 0 else state
    size = next((each["size"] for each in reversed(modules) if each["type"] == "Dense"), pooled)
    sizes = settings.get("dimensions", ())
    if len(sizes) > 1 and 0 < size < max(sizes):
        raise UsageError(f"--dimensions {max(sizes)} is more than the {size} numbers of an embedding")
    kept = size if not sizes else -1 if len(sizes) > 1 else sizes[0] if size < 0 else min(sizes[0], size)
    return (TensorSpec(name="embedding", dtype="FP32", dims=(kept,)),)


TASK = ModelTask(
    name="feature-extraction",
    pipeline_tag="feature-extraction",
    export_task="feature-extraction",
    auto_class="AutoModel",
    graph_outputs=("last_hidden_state",),
    inputs=(text_input(),),
    outputs=embedding,
    layouts={"ensemble": (tokens, graph_step, pooling), "fused": (fused_embeddings,)},
    resolve_settings=resolve_settings,
    texts=texts,
    fits=fits,
    answer=answer,
    further=further,
    parameters=("prompt_name", "dimensions"),
    files=write_weights,
    takes_labels=False,
    library="sentence-transformers",
    unneeded=("pooler",),
    options=(POOLING, NORMALIZE, PROMPT_NAME, DIMENSIONS),
    guard=Guard(rule=lambda _: "cosine", values=embeddings),
    right_answers=lambda _settings, _size: "similarity",
    not_in_cache_key=("similarity",),
    sentences=True,
)

"""Text classification by a SetFit folder: an embedder of sentence-transformers with a linear head."""

from collections.abc import Mapping, Sequence
from typing import Any

from utils.convert.activations import OF_PIPELINE, chosen
from utils.convert.setfit_model import with_head
from utils.convert.types import Example, ReferenceModel, Settings, Tensors
from utils.host.errors import SourceError, UsageError
from utils.proof.golden import ranking
from utils.repository.served_code import load_shared
from utils.sources.model_config import SCORE_FUNCTIONS, ModelConfig
from utils.sources.sentence_folder import SentenceFolder, read_sentence_folder
from utils.tasks.feature_extraction import require_activations
from utils.tasks.prompts import limits_of, prompted


def resolve_settings(config: ModelConfig, _: tuple[str, ...], options: Settings) -> Settings:
    """K as for other classifiers, the body's pooling, and the digest of the head. --activation is not for SetFit."""
    assert config.setfit  # the variant is for such folders
    if chosen(options, OF_PIPELINE, "text-classification") is not None:
        raise UsageError("--activation is not for a SetFit model: its head gives probabilities; leave it out")
    k = options.get("top_k") or (config.head_size if config.setfit.head.is_multi_label else 1)
    if k > config.head_size:
        raise UsageError(f"--top-k {k} is more than the model has labels; give at most {config.head_size}")
    folder = read_sentence_folder(config.file.parent)
    _require_served(folder, config)
    modules = folder.modules or ({"type": "Pooling", "modes": ["mean"]},)
    require_activations(modules, config)
    settings: dict[str, Any] = {
        "score_function": SCORE_FUNCTIONS[config.problem_type],
        "score_rule": "setfit",
        "top_k": k,
        "head": config.setfit.head.digest,
        "normalize_embeddings": config.setfit.normalize,
        "modules": list(modules),
    }
    if folder.default_prompt and folder.prompts[folder.default_prompt]:  # setfit has no other
        name = folder.default_prompt
        settings |= {"prompts": {name: folder.prompts[name]}, "default_prompt": name}
    if folder.truncate_dim is not None:
        settings["truncate_dim"] = folder.truncate_dim
    return {**settings, **limits_of(folder, config)}


def _require_served(folder: SentenceFolder, config: ModelConfig) -> None:
    """SourceError for what the graph of a SetFit model does not have."""
    if folder.default_prompt and folder.prompts[folder.default_prompt] and not folder.include_prompt:
        raise SourceError(
            f"the body of the SetFit model in {str(config.file.parent)!r} adds the prompt {folder.default_prompt!r} to "
            "every text and does not pool its tokens (include_prompt is false), which is not served for SetFit models; "
            "set default_prompt_name to null, and send texts that begin with the prompt"
        )


def answer(reference: ReferenceModel, settings: Settings, examples: Sequence[Example]) -> list[Tensors]:
    """All labels, best first, with setfit's probabilities; of a graph of reduced precision, its own numbers."""
    from utils.convert.sentence_answers import classify

    if reference.is_graph:
        function = load_shared("scoring").SCORE_FUNCTIONS[settings["score_function"]]
        rows = [function(outputs["logits"][None])[0] for outputs in reference.outputs]
    else:
        rows = classify(reference, settings, [example["text_input"] for example in examples])
    orders = [(-scores).argsort(kind="stable") for scores in rows]
    return [
        ranking([reference.labels[place] for place in order], scores[order].tolist())
        for scores, order in zip(rows, orders, strict=True)
    ]


# What differs from the row of text classification.
VARIANT: Mapping[str, Any] = {
    "export_task": "feature-extraction",
    "auto_class": "AutoModel",
    "resolve_settings": resolve_settings,
    "texts": lambda settings, example: (prompted(settings, example),),
    "answer": answer,
    "complete": with_head,
    "library": "setfit",
    "unneeded": ("pooler",),
    "sentences": True,
}

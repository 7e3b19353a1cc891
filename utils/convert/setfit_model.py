"""The layers behind a SetFit model's body: its modules and the head, so that it is one classifier."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from utils.convert.completed_model import completed
from utils.convert.sentence_weights import read_weights
from utils.convert.types import Settings
from utils.host.errors import SourceError
from utils.sources.sentence_folder import root_of
from utils.sources.setfit_child import NORMALIZED
from utils.sources.setfit_head import read_head


def with_head(model: Any, settings: Settings, folder: Path) -> Any:
    """`model`, whose output is the logits of the head, FP32 [B, C]; their softmax or sigmoid is setfit's probability.

    Source: the modules of sentence-transformers, and setfit's SetFitModel.predict_proba.
    """
    import torch
    from torch.nn.functional import logsigmoid, normalize

    head = read_head(root_of(folder), allow_pickle=True)  # a pickle was allowed or refused with the small files
    if head.digest != settings["head"]:
        raise SourceError(f"the head in {str(folder)!r} has changed during the build; run the same command again")
    weight = torch.tensor(head.coefficients, dtype=torch.float32)
    bias = torch.tensor(head.intercept, dtype=torch.float32)
    size, (pooling, *modules) = settings.get("truncate_dim"), settings["modules"]
    weights = {name: torch.from_numpy(array) for name, array in read_weights(folder, modules).items()}

    def logits(output: Any, mask: Any) -> Any:
        embedding = pooled(output.last_hidden_state, mask, pooling["modes"])
        for module in modules:
            embedding = applied(module, embedding, weights)
        embedding = embedding[:, :size]
        embedding = normalize(embedding, dim=1) if settings["normalize_embeddings"] else embedding
        found = embedding @ weight.T + bias
        return logsigmoid(found) if head.function == NORMALIZED else found

    return completed(model, logits)


def applied(module: Mapping[str, Any], values: Any, weights: Mapping[str, Any]) -> Any:
    """The numbers of each text, FP32 [B, D], after a module: as in model_repository/shared/pooled_embeddings.py."""
    import torch
    from torch.nn import functional

    if module["type"] == "Normalize":
        return functional.normalize(values, dim=1)
    own = {name.removeprefix(f"{module['path']}."): each for name, each in weights.items()}
    if module["type"] == "LayerNorm":
        return functional.layer_norm(values, own["norm.weight"].shape, own["norm.weight"], own["norm.bias"])
    activation = getattr(torch.nn, module["activation"])()
    found = activation(functional.linear(values, own["linear.weight"], own.get("linear.bias")))
    if not module.get("residual"):
        return found
    resized = own.get("residual.weight")
    return found + (values if resized is None else functional.linear(values, resized))


def pooled(states: Any, mask: Any, modes: Sequence[str]) -> Any:
    """One embedding a text, FP32 [B, D] for each of `modes`. states: FP32 [B, tokens, D]; mask: [B, tokens].

    Source: Pooling of sentence-transformers. Padding comes last.
    """
    import torch

    kept = mask.unsqueeze(-1).to(states.dtype)
    count = kept.sum(dim=1).clamp(min=1)
    total = (states * kept).sum(dim=1)
    order = torch.arange(1, states.shape[1] + 1, device=states.device).to(states.dtype)[None, :, None] * kept
    last = (mask.sum(dim=1) - 1).clamp(min=0)[:, None, None].expand(-1, 1, states.shape[-1])
    poolings = {
        "mean": lambda: total / count,
        "cls": lambda: states[:, 0],
        "max": lambda: states.masked_fill(kept == 0, -1e9).amax(dim=1),
        "mean_sqrt_len_tokens": lambda: total / count.sqrt(),
        "weightedmean": lambda: (states * order).sum(dim=1) / order.sum(dim=1).clamp(min=1),
        "lasttoken": lambda: states.gather(1, last.long()).squeeze(1),
    }
    return torch.cat([poolings[mode]() for mode in modes], dim=1)

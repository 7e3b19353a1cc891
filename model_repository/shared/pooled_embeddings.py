"""The states of a text's tokens to one embedding, over numpy arrays."""

import json

import numpy as np


def mean(states, mask):
    """The mean over the tokens that the mask lets through, FP32 [B, D]."""
    return np.where(mask, states, 0).sum(axis=1) / np.maximum(mask.sum(axis=1), 1)


def first(states, mask):
    """The state of the first token, which is [CLS] where the tokenizer has one."""
    return states[np.arange(len(states)), mask[..., 0].argmax(axis=1)]


def largest(states, mask):
    """The largest value of each dimension over the tokens."""
    return np.where(mask, states, -np.inf).max(axis=1)


POOLINGS = {"mean": mean, "cls": first, "max": largest}


def pool(states, attention_mask, pooling, normalize, truncate_dim=None, normalize_truncated=False):
    """One embedding a row, FP32 [B, D], of length 1 where `normalize`.

    states: FP32 [B, tokens, D]; attention_mask: integers [B, tokens]. truncate_dim: how many of the D numbers are kept,
    after `normalize`; None keeps all. normalize_truncated: what is kept has length 1.
    """
    embeddings = POOLINGS[pooling](states, attention_mask.astype(bool)[..., None])
    if normalize:
        embeddings = unit(embeddings)
    embeddings = embeddings[:, :truncate_dim]
    if normalize_truncated:
        embeddings = unit(embeddings)
    return embeddings.astype(np.float32)


def unit(embeddings):
    """Rows of length 1; 1e-12: as torch.nn.functional.normalize, so that zeros stay zeros."""
    return embeddings / np.maximum(np.linalg.norm(embeddings, axis=1, keepdims=True), 1e-12)


class Answering:
    """Called with the graph's outputs, the states first, and the attention mask: the embeddings alone in a tuple."""

    def __init__(self, folder):
        """Reads settings.json: {"pooling": a name of POOLINGS, "normalize": bool}, and what else `pool` takes."""
        settings = json.loads((folder / "settings.json").read_text(encoding="utf-8"))
        names = ("pooling", "normalize", "truncate_dim", "normalize_truncated")
        self.settings = {name: settings[name] for name in names if name in settings}

    def __call__(self, outputs, mask):
        """One embedding a row."""
        return (pool(outputs[0], mask, **self.settings),)

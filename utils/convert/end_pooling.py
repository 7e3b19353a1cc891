"""Heads that pool at the last end token, as BART's: transformers needs the same number of them in every row."""

import contextlib
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def pooled_by_row(model: Any) -> Iterator[None]:
    """During an export, such a head gets the hidden state [B, H] at the last end token of each row.

    transformers (modeling_bart.py and its kin) reshapes the states of all end tokens of a batch, and raises ValueError
    if the rows have different numbers of them. A graph cannot raise: a text that contains an end token would get
    another row's state. For a single text both are the same. Other models are not changed.
    """
    head = getattr(model, "classification_head", None)
    if head is None or not getattr(model.config, "is_encoder_decoder", False):
        yield
        return
    seen: dict[str, Any] = {}

    def keep(_module: Any, args: tuple[Any, ...], named: dict[str, Any], output: Any) -> None:
        seen.update(ids=named["input_ids"] if "input_ids" in named else args[0], states=output[0])

    def give(_module: Any, _args: tuple[Any, ...]) -> Any:
        import torch

        ids, states = seen["ids"], seen["states"]
        places = torch.arange(1, ids.shape[1] + 1, device=ids.device)
        last = (ids.eq(model.config.eos_token_id).long() * places).argmax(dim=1)
        return states.gather(1, last[:, None, None].expand(-1, 1, states.shape[-1])).squeeze(1)

    hooks = [model.base_model.register_forward_hook(keep, with_kwargs=True), head.register_forward_pre_hook(give)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()

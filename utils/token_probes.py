"""Texts that hold a tokenizer's own special and added tokens, as a user may type them."""

from typing import Any

# Some vocabularies reserve hundreds of special tokens of one kind.
MOST = 24


def token_probes(tokenizer: Any) -> tuple[str, ...]:
    """Each special and each added token (the first MOST of either) inside, before, after and within other words."""
    added = {str(token): token.special for token in tokenizer.added_tokens_decoder.values()}
    special = list(dict.fromkeys([*tokenizer.all_special_tokens, *(name for name in added if added[name])]))
    plain = [name for name in added if not added[name]]
    tokens = [*special[:MOST], *plain[:MOST]]
    return tuple(text for token in tokens for text in _around(token))


def _around(token: str) -> tuple[str, ...]:
    return (f"rain {token} sun", f"rain{token}sun {token}", f"{token}  {token.upper()} {token.lower()}", token)

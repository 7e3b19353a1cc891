"""What the routes ask for: the model's answers to texts, within the limits, and the numbers of their tokens."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from .errors import EMPTY, INVALID, TOO_LARGE, ApiError
from .facts import Facts
from .tokens import Tokens
from .triton import Row, Triton

T = TypeVar("T")


@dataclass(frozen=True)
class Limits:
    """max_body: bytes of a request. max_inputs: texts, or pairs, of a request."""

    max_body: int
    max_inputs: int


@dataclass(frozen=True)
class Choices:
    """What a request chooses: a prompt by its name, the size of its embeddings, and whether long texts are cut."""

    prompt_name: str | None = None
    dimensions: int | None = None
    truncate: bool = True


class Service:
    """The served model. Its methods raise ApiError."""

    def __init__(self, facts: Facts, triton: Triton, tokens: Tokens, limits: Limits) -> None:
        self.facts, self.triton, self.tokens, self.limits = facts, triton, tokens, limits
        self._thread = ThreadPoolExecutor(1)  # tokenizers' settings are changed while it reads a pair

    @property
    def sizes(self) -> Sequence[int]:
        """The sizes of an embedding that a request may name; () if the build did not know any."""
        return self.tokens.sizes or self.facts.dimensions

    async def rows(self, columns: Sequence[Sequence[str]], choices: Choices, field: str) -> list[Row]:
        """The model's answer to each row; `field` is the field of the request that has the texts."""
        self._check(columns, choices, field)
        if not choices.truncate:
            await self._require_short(columns, choices, field)
        return await self.triton.infer(columns, self._parameters(choices))

    async def rows_and_tokens(
        self, columns: Sequence[Sequence[str]], choices: Choices, field: str
    ) -> tuple[list[Row], int]:
        """As `rows`, and the number of tokens that the model read. They are counted while Triton computes."""
        rows, counts = await asyncio.gather(
            self.rows(columns, choices, field), self._in_thread(self.tokens.counts, columns, choices.prompt_name)
        )
        return rows, sum(counts)

    def _check(self, columns: Sequence[Sequence[str]], choices: Choices, field: str) -> None:
        count, most = len(columns[0]), self.limits.max_inputs
        if not count:
            raise ApiError(EMPTY, f"{field} is empty; send at least one text", field)
        if count > most:
            raise ApiError(TOO_LARGE, f"{field} has {count} texts; send at most {most}", field)
        # A query is sent once for each text.
        if sum(len(text) for column in columns for text in column) > self.limits.max_body:
            raise ApiError(TOO_LARGE, f"the texts have more than {self.limits.max_body} characters", field)
        _require_of("prompt_name", choices.prompt_name, self.tokens.prompts)
        if choices.dimensions is not None:
            _require_of("dimensions", choices.dimensions, self.sizes)

    def _parameters(self, choices: Choices) -> dict[str, str | int]:
        """Those of a request to Triton. A model whose embeddings have one size has none for it."""
        size = choices.dimensions if self.tokens.sizes else None
        chosen = {"prompt_name": choices.prompt_name, "dimensions": size}
        return {name: value for name, value in chosen.items() if value is not None}

    async def _require_short(self, columns: Sequence[Sequence[str]], choices: Choices, field: str) -> None:
        index = await self._in_thread(self.tokens.first_too_long, columns, choices.prompt_name)
        if index is not None:
            most = self.tokens.most
            raise ApiError(TOO_LARGE, f"text {index} of {field} has more than {most} tokens; allow truncate", field)

    async def _in_thread(self, function: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, *arguments)


def _require_of(field: str, value: str | int | None, allowed: Sequence[Any]) -> None:
    if value is not None and value not in allowed:
        known = f"choose one of: {', '.join(map(str, allowed))}" if allowed else "leave it out: this model has none"
        raise ApiError(INVALID, f"{field} is {value!r}; {known}", field)

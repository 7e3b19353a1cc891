"""What a request chooses by its parameters: the prompt before its texts, and the size of its embeddings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import triton_python_backend_utils as pb_utils
from step_responses import InvalidInputError, parameters_of
from tokenizers import Encoding

NAMES = ("prompt_name", "dimensions")


class Choice(NamedTuple):
    """`prompt` is put before each text; of its tokens the first `skipped` are not pooled.

    `dimensions`: how many numbers of an embedding are kept; None: those of the model's settings.
    """

    prompt: str = ""
    skipped: int = 0
    dimensions: int | None = None


USUAL = Choice()


class Rows(list[Encoding]):
    """The encodings of one request's texts, and what the request chose."""

    def __init__(self, encodings: Iterable[Encoding], choice: Choice) -> None:
        super().__init__(encodings)
        self.choice = choice


class Choices:
    """Reads the parameters `prompt_name` and `dimensions` of requests to a model that has them."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        """Each of `settings` may be absent.

        {"prompts": {name: {"text": str, "tokens": tokens that are not pooled}}, "default_prompt": name or None,
        "dimensions": the allowed sizes}
        """
        self.prompts: Mapping[str, Any] = settings.get("prompts") or {}
        self.sizes: list[int] = settings.get("dimensions") or []
        self.usual = USUAL
        if (name := settings.get("default_prompt")) is not None:
            self.usual = self._with_prompt(name, None)

    @property
    def exist(self) -> bool:
        """False for a model without prompts and sizes."""
        return bool(self.prompts or self.sizes)

    def of(self, request: pb_utils.InferenceRequest) -> Choice:
        """The choice of a request. Raises InvalidInputError for a name or a value that the model does not have."""
        given = parameters_of(request, NAMES if self.exist else ())
        if not self.exist:
            return USUAL
        size, name = given.get("dimensions"), given.get("prompt_name")
        if size is not None and (size not in self.sizes or isinstance(size, bool)):
            known = ", ".join(map(str, self.sizes)) or "none: this model's embeddings have one size"
            raise InvalidInputError(f"parameter 'dimensions' is {size!r}; allowed: {known}")
        if name is not None and name not in self.prompts:
            known = ", ".join(sorted(self.prompts)) or "none: this model has no prompts"
            raise InvalidInputError(f"parameter 'prompt_name' is {name!r}; allowed: {known}")
        if name is not None:
            return self._with_prompt(name, size)
        return self.usual if size is None else Choice(self.usual.prompt, self.usual.skipped, size)

    def _with_prompt(self, name: str, size: int | None) -> Choice:
        prompt = self.prompts[name]
        return Choice(prompt["text"], prompt["tokens"], size)

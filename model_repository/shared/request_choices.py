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

    `dimensions`: how many numbers of an embedding are kept, `top_k`: how many weights of a sparse one; None: those of
    the model's settings.
    """

    prompt: str = ""
    skipped: int = 0
    dimensions: int | None = None
    top_k: int | None = None


USUAL = Choice()


class Rows(list[Encoding]):
    """The encodings of one request's texts, and what the request chose."""

    def __init__(self, encodings: Iterable[Encoding], choice: Choice) -> None:
        super().__init__(encodings)
        self.choice = choice


class Choices:
    """Reads the parameters `prompt_name`, `dimensions` and `top_k` of requests to a model that has them."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        """Each of `settings` may be absent.

        {"prompts": {name: {"text": str, "tokens": tokens that are not pooled}}, "default_prompt": name or None,
        "dimensions": the allowed sizes, "chooses_top_k": True if a request may choose, "top_k": then the most, or None}
        """
        self.prompts: Mapping[str, Any] = settings.get("prompts") or {}
        self.sizes: list[int] = settings.get("dimensions") or []
        self.chooses_top_k, self.most = settings.get("chooses_top_k", False), settings.get("top_k")
        self.usual = USUAL
        if (name := settings.get("default_prompt")) is not None:
            self.usual = self._with_prompt(name)

    @property
    def exist(self) -> bool:
        """False for a model without any of them."""
        return bool(self.prompts or self.sizes or self.chooses_top_k)

    def of(self, request: pb_utils.InferenceRequest) -> Choice:
        """The choice of a request. Raises InvalidInputError for a name or a value that the model does not have."""
        names = (*NAMES, *(("top_k",) if self.chooses_top_k else ()))
        parameters = parameters_of(request, names if self.exist else ())
        if not self.exist:
            return USUAL
        size, name, top_k = parameters.get("dimensions"), parameters.get("prompt_name"), parameters.get("top_k")
        if size is not None and (size not in self.sizes or isinstance(size, bool)):
            known = ", ".join(map(str, self.sizes)) or "none: this model's embeddings have one size"
            raise InvalidInputError(f"parameter 'dimensions' is {size!r}; allowed: {known}")
        if name is not None and name not in self.prompts:
            known = ", ".join(sorted(self.prompts)) or "none: this model has no prompts"
            raise InvalidInputError(f"parameter 'prompt_name' is {name!r}; allowed: {known}")
        if top_k is not None:
            self._check_top_k(top_k)
        chosen = self.usual if name is None else self._with_prompt(name)
        return chosen._replace(dimensions=size, top_k=top_k)

    def _check_top_k(self, top_k: Any) -> None:
        if type(top_k) is not int or top_k < 1 or (self.most is not None and top_k > self.most):
            most = "" if self.most is None else f" to {self.most}"
            raise InvalidInputError(f"parameter 'top_k' is {top_k!r}; allowed: a whole number from 1{most}")

    def _with_prompt(self, name: str) -> Choice:
        prompt = self.prompts[name]
        return Choice(prompt["text"], prompt["tokens"])

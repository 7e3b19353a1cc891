"""Counts tokens with the code and the files that the served model tokenizes with."""

import importlib.util
import json
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any


class Tokens:
    """The tokenizer of a version folder: tokenizer.json, settings.json and tokenization.py."""

    def __init__(self, folder: Path) -> None:
        self.settings: dict[str, Any] = json.loads((folder / "settings.json").read_text(encoding="utf-8"))
        self._code, self._file = _module(folder / "tokenization.py"), folder / "tokenizer.json"
        self._tokenizer = self._code.load_tokenizer(self._file, self.settings, padded=False)
        self._longer: Any = None

    @property
    def most(self) -> int | None:
        """The most tokens of a text, beyond which it is truncated; None: any number."""
        limit = self.settings["max_length"]
        return None if limit is None else int(limit)

    @property
    def prompts(self) -> Sequence[str]:
        """The names of the prompts that a request may choose."""
        return list(self.settings.get("prompts") or {})

    @property
    def sizes(self) -> Sequence[int]:
        """The sizes of an embedding that a request may choose from; () if it has one."""
        return list(self.settings.get("dimensions") or ())

    def counts(self, columns: Sequence[Sequence[str]], prompt_name: str | None = None) -> list[int]:
        """The tokens of each row as the model reads it, with its prompt, truncated, without padding."""
        return self._counts(self._tokenizer, columns, prompt_name)

    def first_too_long(self, columns: Sequence[Sequence[str]], prompt_name: str | None = None) -> int | None:
        """The index of the first row that would be truncated; None if none would be."""
        if self.most is None:
            return None
        if self._longer is None:
            wider = {**self.settings, "max_length": self.most + 1}
            self._longer = self._code.load_tokenizer(self._file, wider, padded=False)
        counts = self._counts(self._longer, columns, prompt_name)
        return next((index for index, count in enumerate(counts) if count > self.most), None)

    def _counts(self, tokenizer: Any, columns: Sequence[Sequence[str]], prompt_name: str | None) -> list[int]:
        name = self.settings.get("default_prompt") if prompt_name is None else prompt_name
        prompt = self.settings["prompts"][name]["text"] if name is not None else ""
        texts = self._code.prompted([list(column) for column in columns], prompt)
        rows = self._code.joined(texts, self.settings.get("keeps_empty_pair", False))
        # -1: a text without any token is not refused here.
        return [len(encoding.ids) for encoding in self._code.tokenize(tokenizer, rows, skipped=-1)]


def _module(file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("served_tokenization", file)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module

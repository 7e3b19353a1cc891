"""Ways to damage a model, its tokenizer and its labels."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.small_files import write_safetensors


@dataclass(frozen=True, kw_only=True)
class Damaged:
    """A sound model and tokenizer in one folder, and methods to damage them."""

    model: Path
    folder: Path

    def argv(self, *rest: object, labels: object = "-") -> list[object]:
        return [self.model, self.model, labels, *rest]

    def labels(self, content: object) -> Path:
        """A label file: bytes as they are, text in UTF-8, anything else as JSON."""
        file = self.folder / "labels.json"
        if not isinstance(content, bytes):
            text = content if isinstance(content, str) else json.dumps(content)
            content = text.encode("utf-8", "surrogatepass")
        file.write_bytes(content)
        return file

    def file(self, name: str) -> Path:
        return self.model / name

    def edit(self, name: str, **changes: Any) -> None:
        """Sets values in a JSON file of the model; None removes the name, `...` sets null."""
        file = self.file(name)
        content = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        for key, value in changes.items():
            content.pop(key, None)
            if value is not None:
                content[key] = None if value is ... else value
        file.write_text(json.dumps(content), encoding="utf-8")

    def write(self, name: str, content: bytes | str) -> None:
        self.file(name).write_bytes(content if isinstance(content, bytes) else content.encode())

    def remove(self, *names: str) -> None:
        for name in names:
            self.file(name).unlink()

    def header(self) -> tuple[dict[str, Any], bytes]:
        """(header of the weights, their bytes)"""
        content = self.file("model.safetensors").read_bytes()
        length = int.from_bytes(content[:8], "little")
        return json.loads(content[8 : 8 + length]), content[8 + length :]

    def write_weights(self, header: object, content: bytes, name: str = "model.safetensors") -> None:
        text = json.dumps(header).encode()
        self.write(name, len(text).to_bytes(8, "little") + text + content)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The weights' shapes by name."""
        return {name: tuple(each["shape"]) for name, each in self.header()[0].items() if name != "__metadata__"}

    def keep_tensors(self, keep: Callable[[str], bool]) -> None:
        """Writes a complete file of the tensors whose names `keep` accepts, all zeros."""
        kept = {name: shape for name, shape in self.shapes().items() if keep(name)}
        write_safetensors(self.file("model.safetensors"), kept)

    def shard(self, *, shards: int = 2) -> list[str]:
        """Splits the weights into that many files and an index."""
        shapes = self.shapes()
        names = [f"model-{number:05}-of-{shards:05}.safetensors" for number in range(1, shards + 1)]
        weight_map = {name: names[position % shards] for position, name in enumerate(shapes)}
        for shard in names:
            write_safetensors(self.file(shard), {name: shapes[name] for name in shapes if weight_map[name] == shard})
        self.write("model.safetensors.index.json", json.dumps({"metadata": {}, "weight_map": weight_map}))
        self.remove("model.safetensors")
        return names

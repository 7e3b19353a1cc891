"""The smallest checkpoint and tokenizer files of the right format, for tests that never load them."""

import json
from pathlib import Path

HEAD = {"bert.embeddings.word_embeddings.weight": (6, 4), "classifier.weight": (2, 4), "classifier.bias": (2,)}
TOKENIZER = {"model": {"type": "WordPiece", "vocab": {"[PAD]": 0, "[UNK]": 1, "a": 2}}, "added_tokens": []}


def write_safetensors(file: Path, shapes: dict[str, tuple[int, ...]]) -> Path:
    """Zeros in FP32 in the safetensors format."""
    header, end = {}, 0
    for name, shape in shapes.items():
        size = 4
        for each in shape:
            size *= each
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header).encode()
    file.write_bytes(len(text).to_bytes(8, "little") + text + bytes(end))
    return file

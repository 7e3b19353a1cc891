"""The tables of keys: who reads each setting of a model's files, and why others may be ignored.

data/config_keys*.json, data/tokenizer_keys.json and data/adapter_keys.json are generated from the installed
transformers, tokenizers and PEFT (tests/known_keys); data/rows.json is written by hand. Standard library only: the
tables are read before slow imports.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

from utils.targets.exporters import DYNAMO, OPTIMUM

DATA = Path(__file__).parent / "data"
ANY_FILE = "any file"
# Of the transformers that each exporter runs with.
CONFIG_KEYS = {OPTIMUM: "config_keys.json", DYNAMO: "config_keys_5.json"}
# The parts of tokenizer.json with their own keys.
PARTS = ("added_tokens", "decoder", "model", "normalizer", "padding", "post_processor", "pre_tokenizer", "truncation")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One key, or a pattern of fnmatch. `kind`: understood, harmless or changes; `text`: the reader or the reason.

    With a value in `unless` (texts are patterns) a key of kind `changes` does not change answers.
    """

    key: str
    kind: str
    text: str
    unless: tuple[Any, ...] = ()

    @property
    def is_guess(self) -> bool:
        """True for a pattern of kind `changes`: a guess from the name."""
        return self.kind == "changes" and "*" in self.key

    def allows(self, value: Any) -> bool:
        """True if `value` does not change answers, or is supported."""
        if self.kind != "changes" or is_empty(value):
            return True
        texts = [each for each in self.unless if isinstance(each, str)]
        return value in self.unless or (isinstance(value, str) and any(fnmatchcase(value, each) for each in texts))


def is_empty(value: Any) -> bool:
    """Null, an empty text, list or object."""
    return value is None or value in ("", [], {})


@cache
def content(name: str) -> dict[str, Any]:
    """The JSON object in the data file `name`."""
    loaded = json.loads((DATA / name).read_text(encoding="utf-8"))
    assert isinstance(loaded, dict)
    return loaded


@cache
def words(name: str, field: str) -> frozenset[str]:
    """The words in a field of the data file `name`, such as the keys of all model types ("elsewhere")."""
    return frozenset(content(name)[field].split())


@cache
def rows(file: str) -> tuple[Row, ...]:
    """The rows of rows.json for a kind of file, or for one model type in it."""
    return tuple(
        Row(key=key, kind=kind, text=fields[kind], unless=tuple(fields.get("unless", ())))
        for key, fields in content("rows.json").get(file, {}).items()
        for kind in ("understood", "harmless", "changes")
        if kind in fields
    )


def transformers_version(exporter: str) -> str:
    """The version of transformers that an exporter's tables were generated from, and that loads the model."""
    return str(content(CONFIG_KEYS[exporter])["transformers"])


@cache
def config_keys(exporter: str, model_type: str, part: str = "") -> frozenset[str] | None:
    """The keys of a type's config, or of its part, such as text_config; None for a part that is not a config."""
    table = content(CONFIG_KEYS[exporter])
    name = _type_name(table["types"], model_type) + (f".{part}" if part else "")
    if name not in table["types"]:
        return None
    # Transformers 5 takes what each config of version 4 has, too, such as torch_dtype.
    every = f"{table['every']} {content(CONFIG_KEYS[OPTIMUM])['every']}"
    return frozenset(f"{every} {table['types'][name]}".split())


def _type_name(types: Mapping[str, str], model_type: str) -> str:
    """Types are written with dashes or underscores."""
    plain = model_type.replace("_", "-")
    return next((name for name in types if name.replace("_", "-") == plain), model_type)


@cache
def tokenizer_keys(name: str) -> frozenset[str]:
    """What a tokenizer class reads in tokenizer_config.json; for an unknown class, what any class reads."""
    table = content("tokenizer_keys.json")
    own = table["classes"].get(name.removesuffix("Fast"))
    return frozenset(f"{table['every']} {own}".split()) if own is not None else tokenizer_keys_elsewhere()


@cache
def tokenizer_keys_elsewhere() -> frozenset[str]:
    """What all tokenizer classes together read in tokenizer_config.json."""
    table = content("tokenizer_keys.json")
    return frozenset(" ".join((table["every"], *table["classes"].values())).split())


def adapter_types() -> tuple[str, ...]:
    """The types of PEFT whose adapters can be merged."""
    return tuple(content("adapter_keys.json")["types"])


@cache
def adapter_keys(kind: str) -> frozenset[str]:
    """What PEFT reads in the adapter_config.json of a type, but the keys that rows.json refuses or explains."""
    table = content("adapter_keys.json")
    return frozenset(f"{table['every']} {table['types'][kind]}".split()) - {
        row.key for row in rows("adapter_config.json")
    }


@cache
def part_keys(place: str, kind: str) -> frozenset[str]:
    """What tokenizers reads in a part of tokenizer.json, by its type; without a type, what any type has."""
    table = content("tokenizer_keys.json")["tokenizer.json"]
    own = table.get(f"{place}.{kind}", table.get(place))
    found = [own] if own is not None else [keys for name, keys in table.items() if name.startswith(f"{place}.")]
    return frozenset(" ".join(found).split())

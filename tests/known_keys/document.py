"""docs/what-is-read.md, written from the tables of utils/sources/known_keys."""

from collections.abc import Iterable

from utils import ROOT
from utils.sources.known_keys import tables
from utils.sources.known_keys.tables import Row
from utils.targets.exporters import DYNAMO, EXPORTERS

# Files that are not opened; their only row has the reason.
UNREAD = ("generation_config.json", "preprocessor_config.json")
DOCUMENT = ROOT / "docs/what-is-read.md"
HEAD = """# What is read of a model's files

Written by `UPDATE_KEYS=1 ./run_tests.sh tests/known_keys` from `utils/sources/known_keys/data`; the same tests
check it. The tables of transformers {optimum}, transformers {dynamo}, tokenizers {tokenizers} and PEFT are generated
from the installed libraries: a release with other keys fails a test until the tables are updated. The transformers of a
build is that of its exporter ([Model types](models.md)): {optimum} for optimum, {dynamo} for dynamo.

A build checks every key of the files below before it fetches weights. The first rule that matches decides:

1. The library that reads the file has the key: it is *understood*.
2. The key has a row below, the file's own or one of *any file*. It is *understood* by the named module, *harmless* for
   the named reason, or it *changes answers* and is refused, unless it has a value that the row allows or is null or
   empty. `*` stands for any text; where such a row says *changes answers* and the value is false, null or empty, the
   next rules decide.
3. The file is *strict*: an unknown key is refused, unless it is null or empty.
4. config.json was written by a newer transformers than that of the build (major or minor version): an unknown key in
   it, or in the tokenizer_config.json beside it, is refused, unless it is null.
5. Another model type or tokenizer class has the key: transformers ignores it here, as it did for the author. A warning
   lists it, unless it is false, null or empty.
6. Nothing has the key. It is refused if its value contains a number or `true`. Otherwise a warning lists it, unless it
   is null or empty.

A refusal has exit code 3 and names the file, the key and the value. `--accept-unknown KEY` builds without the key; KEY
is the name in the message. The build prints a warning, the plan and `--json` list the key under `model: unread`, and
the image has it in the label `triton-image-factory.unread`.

The files of sentence-transformers are checked for the tasks that use them: feature-extraction,
sparse-embedding and text-ranking.
"""
STRICT = {
    "modules.json",
    "sentence_bert_config.json",
    "config_sentence_transformers.json",
    "Pooling/config.json",
    "Normalize/config.json",
    "Dense/config.json",
    "LayerNorm/config.json",
    "config.json: sentence_transformers",
    "adapter_config.json",
}
NAMES = {
    "sentence_bert_config.json": "sentence_bert_config.json (or with another model type in its name)",
    "Pooling/config.json": "N_Pooling/config.json",
    "Normalize/config.json": "N_Normalize/config.json",
    "Dense/config.json": "N_Dense/config.json",
    "LayerNorm/config.json": "N_LayerNorm/config.json",
}


def document() -> str:
    """The whole of docs/what-is-read.md."""
    parts = [_head(), *(_section(name) for name in tables.content("rows.json") if tables.rows(name))]
    parts += [_configs(), _tokenizers(), _parts(), _adapters()]
    return "\n".join(parts)


def _head() -> str:
    versions = {"tokenizers": tables.content("tokenizer_keys.json")["tokenizers"]}
    versions |= {each: tables.transformers_version(each) for each in EXPORTERS}
    return HEAD.format(**versions)


def _section(name: str) -> str:
    strict = " (strict)" if name in STRICT else ""
    if name in UNREAD:
        return f"## {name}\n\nNot read: {tables.rows(name)[0].text}.\n"
    rows = "\n".join(_row(each) for each in tables.rows(name))
    return f"## {NAMES.get(name, name)}{strict}\n\n| key | | reader or reason |\n|---|---|---|\n{rows}\n"


def _row(row: Row) -> str:
    kinds = {"understood": "understood", "harmless": "harmless", "changes": "changes answers"}
    allowed = ", ".join(f"`{each!r}`" for each in row.unless)
    return f"| `{row.key}` | {kinds[row.kind]} | {row.text}{f'; allowed: {allowed}' if allowed else ''} |"


def _configs() -> str:
    return "\n".join(_config(exporter) for exporter in EXPORTERS)


def _config(exporter: str) -> str:
    table = tables.content(tables.CONFIG_KEYS[exporter])
    more = "; and those of every type in the other version" if exporter == DYNAMO else ""
    return (
        f"## config.json: understood by transformers {table['transformers']}\n\n"
        f"Of every type: {_keys(table['every'])}{more}.\n\n"
        f"In `rope_scaling` (strict): {_keys(table['rope_scaling'])}.\n\n{_by_name(table['types'].items(), 'type')}"
    )


def _tokenizers() -> str:
    table = tables.content("tokenizer_keys.json")
    return (
        f"## tokenizer_config.json: understood by transformers\n\nOf every class: {_keys(table['every'])}; and the "
        "names in `extra_special_tokens`. Other classes can have the keys of any class.\n\n"
        f"{_by_name(table['classes'].items(), 'class, also with Fast')}\n"
        "## special_tokens_map.json (strict): understood by transformers\n\n"
        f"{_keys(table['special_tokens'])}; and the names in `extra_special_tokens` of tokenizer_config.json.\n"
    )


def _parts() -> str:
    table = tables.content("tokenizer_keys.json")["tokenizer.json"]
    return f"## tokenizer.json (strict): understood by tokenizers\n\n{_by_name(table.items(), 'part')}"


def _adapters() -> str:
    table = tables.content("adapter_keys.json")
    return (
        f"## adapter_config.json: understood by PEFT {table['peft']}\n\nOf every type: {_keys(table['every'])}. "
        f"The rows above have priority.\n\n{_by_name(table['types'].items(), 'type')}"
    )


def _by_name(keys: Iterable[tuple[str, str]], title: str) -> str:
    rows = "\n".join(f"| `{name}` | {_keys(each)} |" for name, each in keys if each)
    return f"| {title} | keys |\n|---|---|\n{rows}\n"


def _keys(text: str) -> str:
    return ", ".join(f"`{each}`" for each in text.split())

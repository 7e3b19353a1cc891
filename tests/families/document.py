"""docs/models.md and the list in docs/sources.md of model types, written from the outcomes and figures of the walks."""

import re
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass

from tests.families.build import form_of
from tests.families.outcomes import OUTCOMES, Outcome
from utils import ROOT

DOCUMENT = ROOT / "docs/models.md"
SOURCES = ROOT / "docs/sources.md"
BEGIN, END = "<!-- models: begin -->", "<!-- models: end -->"
HEAD = """# Model types

This page lists each model type that the exporter knows, and whether the factory serves it. A tokenizer must have a fast
form: that of its class, or a `tokenizer.json`.

The tests build a small model of each type with random weights and a tokenizer of the type's own class. They convert it
and send the golden texts alone and in padded batches. *difference* is the largest difference between a logit of the
graph and that of PyTorch. *inputs* are those of the test's graph; the config of a checkpoint can add to them.
`UPDATE_MODELS=1 ./run_tests.sh tests/families` writes this page, and the same tests check it.

| type | inputs | tokenizer | difference | note |
|---|---|---|---|---|
"""


BY_5 = """
## Checkpoints of transformers 5

The exporter needs transformers 4, which ignores some keys that version 5 writes. The factory does three things about
it:

- It translates `config.json`: `rope_parameters` (also per layer type), `num_local_experts`, and the `layer_types` of
  ModernBERT.
- It runs Gemma 2 with capped attention scores, as version 5 does.
- Before the export it compares the token ids and outputs of version 4 with those of version 5, on the golden texts and
  on texts with the tokenizer's own tokens. A difference ends the build with exit code 5.

Version 5 runs in a separate environment, `.venv-transformers5` (300 MB, created for the first such checkpoint; torch is
not installed again).

Settings that version 4 cannot compute are rejected by name with exit code 3: scaled angles in ModernBERT,
`use_bidirectional_attention` in Gemma, `partial_rotary_factor` in types other than GPT-NeoX, Phi and Phi 3, and layers
with angles of their own in types other than Gemma 3 and ModernBERT.

The table below shows each served type. `UPDATE_MODELS=1 ./run_tests.sh --long tests/families/test_written_by_5.py`
writes it. transformers 5.24.0 saves a small model of the type, with every numeric field of its config except sizes and
ids at a value that is not the default. Types with rotary angles are saved once more for each scaling. Each folder is
converted. *difference* is the largest difference between a logit of the graph and that of version 5 on the golden
texts.

| type | rotary angles | difference | rejected |
|---|---|---|---|
"""


@dataclass(frozen=True, kw_only=True)
class By5:
    """Of a type saved by transformers 5: kind of rotary angles -> largest difference, or -> the refused setting."""

    differences: Mapping[str, float]
    refusals: Mapping[str, str]


def row(model_type: str, outcome: Outcome, difference: str) -> str:
    """One line of the first table."""
    if outcome.code:
        return f"| `{model_type}` | refused, exit code {outcome.code} | | | {outcome.note} |"
    note = "; ".join(part for part in ("MAX_BATCH_SIZE 1 only" if outcome.single else "", outcome.note) if part)
    return f"| `{model_type}` | {', '.join(outcome.inputs)} | {form_of(model_type)} | {difference} | {note} |"


def row_by_5(model_type: str, figures: By5) -> str:
    """One line of the second table. A type without rotary angles has one folder only."""
    kinds = ", ".join(figures.differences) if {*figures.differences, *figures.refusals} > {"unscaled"} else ""
    refused = "; ".join(dict.fromkeys(figures.refusals.values()))
    return f"| `{model_type}` | {kinds} | {max(figures.differences.values()):.1e} | {refused} |"


def _rows(table: str) -> dict[str, str]:
    """type -> line of a table."""
    lines = [line for line in table.splitlines() if line.startswith("| `")]
    return {line.split("`")[1]: line for line in lines}


def rows_by_5() -> dict[str, str]:
    """The second table of the page as it is."""
    return _rows(DOCUMENT.read_text(encoding="utf-8").partition(BY_5)[2])


def document(differences: Mapping[str, str], by_5: Mapping[str, str]) -> str:
    """The whole of docs/models.md; `by_5`: type -> line of the second table."""
    rows = (row(name, OUTCOMES[name], differences.get(name, "")) for name in sorted(OUTCOMES))
    return HEAD + "\n".join(rows) + "\n" + BY_5 + "\n".join(by_5[name] for name in sorted(by_5)) + "\n"


def without_figures(text: str) -> str:
    """Figures differ from machine to machine; names, inputs and outcomes do not."""
    return re.sub(r" \d\.\de[-+]\d\d \|", "  |", text)


def sources_block() -> str:
    """The short list between the markers in docs/sources.md."""
    served = [name for name in sorted(OUTCOMES) if not OUTCOMES[name].code]
    everywhere = ", ".join(f"`{name}`" for name in served if not OUTCOMES[name].single)
    single = ", ".join(f"`{name}`" for name in served if OUTCOMES[name].single)
    refused = ", ".join(f"`{name}`" for name in sorted(OUTCOMES) if OUTCOMES[name].code)
    paragraphs = (
        "Sequence classification with these values of `model_type` in config.json, single-label, multi-label or "
        f"regression, from fp32, fp16 or bf16 checkpoints (served as fp32): {everywhere}.",
        f"With MAX_BATCH_SIZE 1 only: {single}. Refused, though the exporter knows them: {refused}. Why, and what each "
        "graph takes: [models.md](models.md).",
    )
    wrapped = (textwrap.fill(each, 120, break_long_words=False, break_on_hyphens=False) for each in paragraphs)
    return "\n\n".join((f"{BEGIN}\n## Model types", *wrapped)) + f"\n{END}"


def update(differences: Mapping[str, str]) -> None:
    """Writes the first table of the page, and the list in docs/sources.md."""
    DOCUMENT.write_text(document(differences, rows_by_5()), encoding="utf-8")
    before, rest = SOURCES.read_text(encoding="utf-8").split(BEGIN, 1)
    SOURCES.write_text(f"{before}{sources_block()}{rest.split(END, 1)[1]}", encoding="utf-8")


def update_by_5(figures: Mapping[str, By5]) -> None:
    """Writes the rows of these types in the second table; the rest of the page stays."""
    before = DOCUMENT.read_text(encoding="utf-8").partition(BY_5)[0]
    rows = {**rows_by_5(), **{name: row_by_5(name, each) for name, each in figures.items()}}
    DOCUMENT.write_text(before + BY_5 + "\n".join(rows[name] for name in sorted(rows)) + "\n", encoding="utf-8")

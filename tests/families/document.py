"""docs/models.md and the list in docs/sources.md of model types, written from the outcomes and figures of the walks."""

import re
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.families import found_by_dynamo
from tests.families.build import form_of
from tests.families.outcomes import OUTCOMES, Outcome
from utils import ROOT

DOCUMENT = ROOT / "docs/models.md"
SOURCES = ROOT / "docs/sources.md"
BEGIN, END = "<!-- models: begin -->", "<!-- models: end -->"
HEAD = """# Model types

This page lists each model type that an exporter knows, and whether the factory serves it. A tokenizer must have a fast
form: that of its class, or a `tokenizer.json`.

There are two exporters. `optimum` is optimum-onnx with transformers 4. `dynamo` is `torch.onnx.export(dynamo=True)`
with transformers 5 in a separate environment, `.venv-transformers5`. A build uses optimum if it converts the type and
transformers 4 can compute all settings in `config.json`, and dynamo otherwise. `--exporter NAME` chooses one; the plan
and `--json` show it under `model: exporter`.

## Exporter optimum

The tests build a small model of each type with random weights and a tokenizer of the type's own class. They convert it
and send the golden texts alone and in padded batches. *difference* is the largest difference between a logit of the
graph and that of PyTorch. *seconds* is the processor time of the conversion. *inputs* are those of the test's graph;
the config of a checkpoint can add to them. `UPDATE_MODELS=1 ./run_tests.sh --long tests/families` writes this page, and
the same tests check it.

| type | inputs | tokenizer | difference | seconds | note |
|---|---|---|---|---|---|
"""


BY_DYNAMO_HEAD = """
## Exporter dynamo

The whole conversion runs in a process with transformers 5: reference model, export, comparison, golden answers. This
process then compares `tokenizer.json` once more with the tokenizers version of the image. If transformers 4 wrote the
checkpoint and knows the type, the answers of transformers 4 are compared, too.

transformers 5.24.0 makes a small model with random weights of each of its types that classifies texts, or at least
tokens. It is converted, and the graph gets the golden texts and ragged batches of random tokens: 1 to 5 rows of 1 to
100 tokens, padded on the right as an image pads them, whatever the tokenizer says. Each row is compared with PyTorch's
answer to the row alone. *difference* is the largest one, relative to the largest output (at least 1). *seconds* is the
processor time of the conversion. A type is served if the difference is at most 1e-4, and refused with the reason
otherwise. *also for*: the other tasks of the exporter for which transformers has a class of the type that gives an
output for each token; fill-mask is the task of sparse-embedding, and text-classification also that of text pairs,
ranking and zero-shot classification. Every build compares its own graph with PyTorch, too.
`UPDATE_MODELS=1 ./run_tests.sh --long tests/families/test_walk_of_5.py` writes the table.

Question answering is for optimum only: transformers 5 has no pipeline for it.

Where both exporters convert a type, optimum stays the default. `python -m benchmarks.exporters` measured the processor
time of both graphs of a BERT with 6 layers of width 384, one thread, in turn (2026-11-27): dynamo's takes 1.02 times
that of optimum's for 1 text of 16 tokens, 1.06 times for 1 of 128, and 1.05 times for 8 of 64. optimum-onnx cannot be
retired: only it converts `mbart` and `qwen3_moe`, and question answering.

| type | task | inputs | difference | seconds | also for | note |
|---|---|---|---|---|---|---|
"""
BY_5 = """
## Checkpoints of transformers 5

The exporter optimum needs transformers 4, which ignores some keys that version 5 writes. The factory does three things
about it:

- It translates `config.json`: `rope_parameters` (also per layer type), `num_local_experts`, and the `layer_types` of
  ModernBERT.
- It runs Gemma 2 with capped attention scores, as version 5 does.
- Before the export it compares the token ids and outputs of version 4 with those of version 5, on the golden texts and
  on texts with the tokenizer's own tokens. A difference ends the build with exit code 5.

Version 5 runs in a separate environment, `.venv-transformers5` (300 MB, created for the first such checkpoint; torch is
not installed again).

Some settings cannot be computed by version 4: scaled angles in ModernBERT, `use_bidirectional_attention` in Gemma,
`partial_rotary_factor` in types other than GPT-NeoX, Phi and Phi 3, and layers with angles of their own in types other
than Gemma 3 and ModernBERT. The exporter dynamo converts such a checkpoint. If it does not convert the type, or with
`--exporter optimum`, the setting is rejected by name with exit code 3.

The table below shows each type that the exporter optimum serves.
`UPDATE_MODELS=1 ./run_tests.sh --long tests/families/test_written_by_5.py` writes it. transformers 5.24.0 saves a small
model of the type, with every numeric field of its config except sizes and ids at a value that is not the default. Types
with rotary angles are saved once more for each scaling. Each folder is converted. *difference* is the largest
difference between a logit of the graph and that of version 5 on the golden texts.

| type | rotary angles | difference | rejected |
|---|---|---|---|
"""


@dataclass(frozen=True, kw_only=True)
class By5:
    """Of a type saved by transformers 5: kind of rotary angles -> largest difference, or -> the refused setting."""

    differences: Mapping[str, float]
    refusals: Mapping[str, str]


def row(model_type: str, outcome: Outcome, figures: str) -> str:
    """One line of the first table. `figures`: difference and seconds, "1.2e-06 | 3.4"."""
    if outcome.code:
        return f"| `{model_type}` | refused, exit code {outcome.code} | | | | {outcome.note} |"
    note = "; ".join(part for part in ("MAX_BATCH_SIZE 1 only" if outcome.single else "", outcome.note) if part)
    return f"| `{model_type}` | {', '.join(outcome.inputs)} | {form_of(model_type)} | {figures} | {note} |"


def row_by_5(model_type: str, figures: By5) -> str:
    """One line of the second table. A type without rotary angles has one folder only."""
    kinds = ", ".join(figures.differences) if {*figures.differences, *figures.refusals} > {"unscaled"} else ""
    refused = "; ".join(dict.fromkeys(figures.refusals.values()))
    return f"| `{model_type}` | {kinds} | {max(figures.differences.values()):.1e} | {refused} |"


def row_by_dynamo(task: str, model_type: str, found: Mapping[str, Any]) -> str:
    """One line of the table of the exporter dynamo; `found`: of the walk, or {"refused": why}."""
    others = [name for name in found_by_dynamo.tasks() if name != task and model_type in found_by_dynamo.served(name)]
    if "refused" in found:
        return f"| `{model_type}` | {task} | refused, exit code 4 | | | | {found['refused']} |"
    notes = ["only in transformers 5"] if model_type in found_by_dynamo.only_version_5() else []
    if found["rows"] == 1:
        notes.append("MAX_BATCH_SIZE 1 only; padding changes the answers of its PyTorch model, too")
    figures = f"{found['difference']:.1e} | {found['seconds']:.1f}"
    inputs, note = ", ".join(found["inputs"]), "; ".join(notes)
    return f"| `{model_type}` | {task} | {inputs} | {figures} | {', '.join(others)} | {note} |"


def rows_by_dynamo() -> dict[str, str]:
    """The table of the exporter dynamo on the page as it is."""
    return _rows(DOCUMENT.read_text(encoding="utf-8").partition(BY_DYNAMO_HEAD)[2].partition(BY_5)[0])


def _rows(table: str) -> dict[str, str]:
    """type -> line of a table."""
    lines = [line for line in table.splitlines() if line.startswith("| `")]
    return {line.split("`")[1]: line for line in lines}


def rows_by_5() -> dict[str, str]:
    """The second table of the page as it is."""
    return _rows(DOCUMENT.read_text(encoding="utf-8").partition(BY_5)[2])


def document(figures: Mapping[str, str], by_5: Mapping[str, str], by_dynamo: Mapping[str, str]) -> str:
    """The whole of docs/models.md; `by_5` and `by_dynamo`: type -> line of their tables."""
    rows = {name: row(name, OUTCOMES[name], figures.get(name, "")) for name in OUTCOMES}
    return HEAD + _lines(rows) + BY_DYNAMO_HEAD + _lines(by_dynamo) + BY_5 + _lines(by_5)


def _lines(rows: Mapping[str, str]) -> str:
    return "".join(f"{rows[name]}\n" for name in sorted(rows))


def without_figures(text: str) -> str:
    """Figures differ from machine to machine; names, inputs and outcomes do not."""
    return re.sub(r" \d\.\de[-+]\d\d \|( \d+\.\d \|)?", "  |", text)


def sources_block() -> str:
    """The short list between the markers in docs/sources.md."""
    served = [name for name in sorted(OUTCOMES) if not OUTCOMES[name].code]
    everywhere = ", ".join(f"`{name}`" for name in served if not OUTCOMES[name].single)
    single = ", ".join(f"`{name}`" for name in served if OUTCOMES[name].single)
    refused = ", ".join(f"`{name}`" for name in sorted(OUTCOMES) if OUTCOMES[name].code)
    by_dynamo = found_by_dynamo.served("text-classification")
    more = ", ".join(f"`{name}`" for name in by_dynamo if name not in served)
    paragraphs = (
        "Sequence classification with these values of `model_type` in config.json, single-label, multi-label or "
        f"regression, from fp32, fp16 or bf16 checkpoints (served as fp32): {everywhere}.",
        f"With MAX_BATCH_SIZE 1 only: {single}. Refused, though the exporter knows them: {refused}. Why, and what each "
        "graph takes: [models.md](models.md).",
        f"By the exporter dynamo, with transformers 5: {more}.",
    )
    wrapped = (textwrap.fill(each, 120, break_long_words=False, break_on_hyphens=False) for each in paragraphs)
    return "\n\n".join((f"{BEGIN}\n## Model types", *wrapped)) + f"\n{END}"


def update(figures: Mapping[str, str]) -> None:
    """Writes the first table of the page, and the list in docs/sources.md."""
    DOCUMENT.write_text(document(figures, rows_by_5(), rows_by_dynamo()), encoding="utf-8")
    _update_sources()


def _update_sources() -> None:
    before, rest = SOURCES.read_text(encoding="utf-8").split(BEGIN, 1)
    SOURCES.write_text(f"{before}{sources_block()}{rest.split(END, 1)[1]}", encoding="utf-8")


def update_by_5(figures: Mapping[str, By5]) -> None:
    """Writes the rows of these types in the second table; the rest of the page stays."""
    before = DOCUMENT.read_text(encoding="utf-8").partition(BY_5)[0]
    rows = {**rows_by_5(), **{name: row_by_5(name, each) for name, each in figures.items()}}
    DOCUMENT.write_text(before + BY_5 + _lines(rows), encoding="utf-8")


def update_by_dynamo(rows: Mapping[str, str]) -> None:
    """Writes the table of the exporter dynamo, and the list in docs/sources.md; the rest of the page stays."""
    before, _, rest = DOCUMENT.read_text(encoding="utf-8").partition(BY_DYNAMO_HEAD)
    text = before + BY_DYNAMO_HEAD + _lines(rows) + BY_5 + rest.partition(BY_5)[2]
    DOCUMENT.write_text(text, encoding="utf-8")
    _update_sources()

"""docs/models.md and the README's list of model types, written from the walk's outcomes."""

import re
import textwrap

from tests.families.build import form_of
from tests.families.outcomes import OUTCOMES, Outcome
from utils import ROOT

DOCUMENT = ROOT / "docs/models.md"
README = ROOT / "README.md"
BEGIN, END = "<!-- models: begin -->", "<!-- models: end -->"
HEAD = """# Model types

Written by `UPDATE_MODELS=1 ./run_tests.sh tests/families`; the same tests check it. Each type the exporter knows is
built small, with random weights and a tokenizer of its own class, converted, and asked the golden texts alone and in
padded batches; *difference* is the largest between a logit of the graph and PyTorch's. Tensors are read from the
graph, so a checkpoint's config may add to the inputs. A tokenizer must have a fast form, its class's own or a
`tokenizer.json`.

| type | inputs | tokenizer | difference | note |
|---|---|---|---|---|
"""


def row(model_type: str, outcome: Outcome, difference: str) -> str:
    """One line of the table."""
    if outcome.code:
        return f"| `{model_type}` | refused, exit code {outcome.code} | | | {outcome.note} |"
    note = "; ".join(part for part in ("MAX_BATCH_SIZE 1 only" if outcome.single else "", outcome.note) if part)
    return f"| `{model_type}` | {', '.join(outcome.inputs)} | {form_of(model_type)} | {difference} | {note} |"


def document(differences: dict[str, str]) -> str:
    """The whole of docs/models.md."""
    rows = (row(name, OUTCOMES[name], differences.get(name, "")) for name in sorted(OUTCOMES))
    return HEAD + "\n".join(rows) + "\n"


def without_figures(text: str) -> str:
    """Figures drift from machine to machine; names, inputs and outcomes do not."""
    return re.sub(r" \d\.\de[-+]\d\d \|", "  |", text)


def readme_block() -> str:
    """The short list between the README's markers."""
    served = [name for name in sorted(OUTCOMES) if not OUTCOMES[name].code]
    everywhere = ", ".join(f"`{name}`" for name in served if not OUTCOMES[name].single)
    single = ", ".join(f"`{name}`" for name in served if OUTCOMES[name].single)
    refused = ", ".join(f"`{name}`" for name in sorted(OUTCOMES) if OUTCOMES[name].code)
    paragraphs = (
        "Sequence classification with these values of `model_type` in config.json, single-label, multi-label or "
        f"regression, from fp32, fp16 or bf16 checkpoints (served as fp32): {everywhere}.",
        f"With MAX_BATCH_SIZE 1 only: {single}. Refused, though the exporter knows them: {refused}. Why, and what each "
        "graph takes: [docs/models.md](docs/models.md).",
    )
    wrapped = (textwrap.fill(each, 120, break_long_words=False, break_on_hyphens=False) for each in paragraphs)
    return "\n\n".join((f"{BEGIN}\n## Model types", *wrapped)) + f"\n{END}"


def update(differences: dict[str, str]) -> None:
    """Writes both."""
    DOCUMENT.write_text(document(differences), encoding="utf-8")
    text = README.read_text(encoding="utf-8")
    if BEGIN in text:
        before, rest = text.split(BEGIN, 1)
        after = rest.split(END, 1)[1]
    else:
        before, after = text.split("## Labels", 1)
        after = f"\n\n## Labels{after}"
    README.write_text(f"{before}{readme_block()}{after}", encoding="utf-8")

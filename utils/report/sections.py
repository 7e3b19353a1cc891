"""The sections of the report, in the order of the page.

To add one:

1. A module in this package with a frozen dataclass, its value in report.json (JSON types, and dataclasses of these),
   and a function `make(finished) -> value | None`. `finished.record` is build.json, where a stage that runs before
   leaves what it measured: `build_record.add(tree, NAME={...})`.
2. A row in SECTIONS. `figures` gives the numbers at the top of the page, `plots` the drawings (plots.py).
3. A template `templates/NAME.html`. It sees `value`, `plots`, `report`, and the filters of page.py. Texts in it are
   escaped; a plot is inserted with `{{ plots.NAME }}`.
"""

from typing import Any

from utils.evaluation.evaluation import Evaluation
from utils.proof.measured import Measured
from utils.report import built, conversion, evaluation, proof, run, size, speed, warnings
from utils.report.section import Section

SECTIONS: tuple[Section[Any], ...] = (
    Section(name="warnings", title="Warnings", kind=warnings.Warnings, make=warnings.make),
    Section(name="run", title="Run it", kind=run.Run, make=run.make),
    Section(name="built", title="What was built", kind=built.Built, make=built.make, card=built.card),
    Section(name="proof", title="Proof", kind=proof.Proof, make=proof.make, figures=proof.figures, plots=proof.drawn),
    Section(
        name="evaluation",
        title="Evaluation",
        kind=Evaluation,
        make=evaluation.make,
        figures=evaluation.figures,
        plots=evaluation.drawn,
    ),
    Section(
        name="conversion",
        title="Conversion",
        kind=conversion.Conversion,
        make=conversion.make,
        figures=conversion.figures,
    ),
    Section(name="speed", title="Speed", kind=Measured, make=speed.make, figures=speed.figures),
    Section(name="size", title="Size", kind=size.Size, make=size.make, figures=size.figures),
)

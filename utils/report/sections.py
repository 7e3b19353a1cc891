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

from utils.report import built
from utils.report.section import Section

SECTIONS: tuple[Section[Any], ...] = (Section(name="built", title="What was built", kind=built.Built, make=built.make),)

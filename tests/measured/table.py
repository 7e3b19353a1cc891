"""Coverage by package, as a table in Markdown. `table.py --site-packages` prints the folder that holds `coverage`."""

import sys
import sysconfig
from collections import defaultdict
from pathlib import Path

from utils import ROOT

DATA = ROOT / "build" / "coverage"


def package(file: Path) -> str:
    """The folder that is a row of the table: two levels of utils/, one level elsewhere."""
    parts = file.relative_to(ROOT).parts[:-1]
    return "/".join(parts[:2] if parts[0] in ("utils", "deploy") else parts[:1])


def main() -> None:
    """Combines the data files of all processes and prints lines and covered lines by package."""
    if sys.argv[1:] == ["--site-packages"]:
        print(sysconfig.get_paths()["purelib"])
        return
    import coverage

    measured = coverage.Coverage(config_file=str(ROOT / "pyproject.toml"))
    measured.combine([str(DATA)])
    measured.save()
    lines: defaultdict[str, int] = defaultdict(int)
    covered: defaultdict[str, int] = defaultdict(int)
    for name in sorted(measured.get_data().measured_files()):
        if not name.endswith(".py"):
            continue  # a Jinja template
        _, statements, _, missing, _ = measured.analysis2(name)
        for row in (package(Path(name)), "all"):
            lines[row] += len(statements)
            covered[row] += len(statements) - len(missing)
    print("| package | lines | covered |\n|---|---|---|")
    for row in sorted(lines, key=lambda each: (each == "all", each)):
        print(f"| {row} | {lines[row]} | {covered[row] / max(1, lines[row]):.0%} |")


if __name__ == "__main__":
    main()

"""One run: every contestant on the same model, texts and machine, in interleaved rounds; ratios within each round.

Writes the raw figures as JSON, one file for each kind of processor, and docs/performance.md with its plots from all of
them. The machine should have nothing else to do.
"""

import argparse
import json
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.contestants import CONTESTANTS
from benchmarks.loads import LOADS, QUICK, matches
from benchmarks.report import write_report
from benchmarks.whole_run import WholeRun
from utils import ROOT
from utils.host import entry
from utils.host.build_tree import BUILD
from utils.host.machine import machine, own_kind

MODEL = BUILD / "benchmark-model"
FIGURES = ROOT / "benchmarks/figures"
DEFAULTS = {
    "rounds": 3,
    "seconds": 3.0,
    "starts": 3,
    "contestants": list(CONTESTANTS),
    "loads": ["*"],
    "figures": FIGURES / f"{own_kind()}.json",
    "out": ROOT / "docs",
}
FOR_QUICK = {
    "rounds": 1,
    "seconds": 1.0,
    "starts": 1,
    "contestants": ["fused", "documented ensemble"],
    "loads": QUICK,
    "figures": BUILD / "benchmark-quick.json",
    "out": BUILD / "benchmark-quick",
}


def sample_model() -> Path:
    """Made when it is first needed."""
    if not (MODEL / "id2label.json").is_file():
        subprocess.run(
            [sys.executable, "-m", "examples.topics.fine_tune", str(MODEL)], cwd=ROOT, check=True, stdout=sys.stderr
        )
    return MODEL


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """The options; --quick sets what was not given. UsageError for anything wrong in them."""
    parser = entry.Parser(prog="benchmarks/run.sh", description=__doc__, allow_abbrev=False)
    parser.add_argument("--model", help="folder of a text classifier (default: the sample, made when first needed)")
    parser.add_argument("--rounds", type=int, help="(default: 3)")
    parser.add_argument("--seconds", type=float, help="length of each measurement (default: 3)")
    parser.add_argument("--starts", type=int, help="cold starts of each server (default: 3)")
    parser.add_argument("--contestants", nargs="+", metavar="NAME", choices=CONTESTANTS, help=", ".join(CONTESTANTS))
    parser.add_argument("--loads", nargs="+", metavar="PATTERN", help=f"as 'mixed-*x1', of: {', '.join(LOADS)}")
    parser.add_argument("--quick", action="store_true", help="a trial, written to build/: 2 contestants, 2 loads, 1 s")
    parser.add_argument("--figures", type=Path, help="file for the raw figures (default: benchmarks/figures/KIND.json)")
    parser.add_argument("--redraw", action="store_true", help="measure nothing; write the page anew")
    parser.add_argument("--out", type=Path, help="folder for performance.md (default: docs)")
    options = parser.parse_args(arguments)
    defaults = DEFAULTS | (FOR_QUICK if options.quick else {})
    for name, value in defaults.items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    if not any(matches(load, options.loads) for load in LOADS.values()):
        parser.error(f"--loads {' '.join(options.loads)} fits none of: {', '.join(LOADS)}")
    return options


def run(arguments: Sequence[str]) -> str:
    """Measures and writes; the page's path."""
    options = parse_arguments(arguments)
    if not options.redraw:
        with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
            measured = WholeRun(
                model=Path(options.model or sample_model()).resolve(),
                folder=Path(folder),
                contestants=options.contestants,
                loads=[load for load in LOADS.values() if matches(load, options.loads)],
                rounds=options.rounds,
                seconds=options.seconds,
                starts=options.starts,
            )
            result = {"command": shlex.join(["benchmarks/run.sh", *arguments]), "machine": machine()}
            for figures in measured.measure():  # after each round, so that what ends a run does not take all of it
                text = json.dumps(result | figures, indent=1, ensure_ascii=False)
                options.figures.parent.mkdir(parents=True, exist_ok=True)
                options.figures.write_text(f"{text}\n", encoding="utf-8")
    own, kept = options.figures, FIGURES.glob("*.json")
    files = sorted({own, *kept}) if own.parent == FIGURES else [own]
    results = {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in files}
    return str(write_report(results, own.stem, options.out))


if __name__ == "__main__":
    entry.run(lambda: run(sys.argv[1:]))

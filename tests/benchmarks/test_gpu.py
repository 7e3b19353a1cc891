"""benchmarks/gpu.py on the CPU: its tables have a figure in each place. CUDA graphs need a GPU, and are not tried."""

import re
import subprocess
import sys

from utils import ROOT


def test_a_trial_on_the_cpu_gives_every_table():
    command = [sys.executable, "-m", "benchmarks.gpu", "--device", "cpu", "--seconds", "0.001", "--small"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=120)
    assert done.returncode == 0, done.stderr
    rows = [line.strip("| ").split(" | ") for line in done.stdout.splitlines() if line.startswith("|")]
    figures = {tuple(row[:2]): row for row in rows if re.fullmatch(r"[0-9.e-]+%?", row[-1])}
    assert len(figures) == 3 + 3 + 6
    for precision in ("fp32", "fp16", "bf16"):
        assert {(precision, "eager"), (precision, "TorchScript")} <= set(figures)
    assert next(row for row in rows if row[0] == "fp32")[1:] == ["100.00%", "0.0e+00"]

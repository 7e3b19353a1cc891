"""Converts a frozen TensorFlow graph (.pb) to ONNX, in a process and an environment of its own."""

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from utils import ROOT
from utils.host import children, environment
from utils.host.environments import TENSORFLOW
from utils.host.errors import ExportError, FactoryError, SourceError, UsageError

# The error names of the child.
ERRORS: dict[str, type[FactoryError]] = {"source": SourceError, "export": ExportError}


def convert(pb: Path, destination: Path, *, inputs: Sequence[str], outputs: Sequence[str], opset: int) -> Path:
    """Writes the part of the graph in `pb` between these tensors to the file `destination` and returns that.

    Tensors are named as TensorFlow does, operation:index, and keep their names. Raises UsageError (2) when none are
    given, SourceError (3) for a file that is no GraphDef, ExportError (4) for tensors that the graph lacks (telling
    those it has) and for what tf2onnx cannot convert.
    """
    for option, names in (("--inputs", inputs), ("--outputs", outputs)):
        if not names:
            raise UsageError(
                f"a frozen graph does not say where it begins and ends: name its tensors with {option}, "
                "such as input_images:0"
            )
    if not pb.is_file():
        raise SourceError(f"{str(pb)!r} is no file; name a frozen TensorFlow graph (.pb)")
    request = {
        "pb": str(pb.absolute()),
        "destination": str(destination.absolute()),
        "inputs": list(inputs),
        "outputs": list(outputs),
        "opset": opset,
    }
    python = environment.ensure(TENSORFLOW)
    command = [str(python), "-I", str(ROOT / "utils" / "launch.py"), "utils.convert.origins.tf2onnx_child"]
    done = subprocess.run(
        children.with_parent_death_signal(command),
        input=json.dumps(request),
        capture_output=True,
        text=True,
        env=_quiet(),
    )
    _check(done, pb)
    return destination


def _quiet() -> dict[str, str]:
    """The environment of the child: the CPU only, without TensorFlow's log."""
    return {**os.environ, "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}


def _check(done: subprocess.CompletedProcess[str], pb: Path) -> None:
    """The child answers with {} or {"error": a key of ERRORS, "message": one sentence}."""
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        reason = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        raise ExportError(
            f"the conversion of {pb.name} ended with status {done.returncode} and no result ({reason}); "
            "if the machine is short of memory or disk, free some and run the same command again"
        ) from None
    if answer:
        raise ERRORS[answer["error"]](answer["message"])

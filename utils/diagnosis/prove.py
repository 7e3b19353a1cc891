"""Builds a tiny classifier on a base image, starts it hardened, and runs the cases of the fault table.

doctor.py runs `utils.host.environment utils.diagnosis.prove --base-image IMAGE`, in the factory's environment.
The rows are printed as JSON.
"""

import json
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from utils import ROOT
from utils.diagnosis.findings import FAULT, ProofRow, proof_row
from utils.diagnosis.target import Target
from utils.docker.engine import connect
from utils.docker.running_container import RunningContainer
from utils.host import build_tree, children, entry
from utils.host.errors import BootProofError
from utils.host.progress import stage

TAG, BATCH = "proof", "8"
# Row 18: options for a hardened container, in addition to those of every proof.
HARDENED = ("--shm-size", "64m", "--user", "1000:1000")
# Row 12: time from the kill of a stub to the first refusal, and to the end of the container.
NOT_READY_SECONDS, END_SECONDS = 5.0, 15.0
# Lines of the build about its image and tree, which are removed here.
ADVICE = ("next:", "docker run ", "curl ", "the finished model repository is kept")
KILL_STUB = """
import os, pathlib
stubs = [int(comm.parent.name) for comm in pathlib.Path("/proc").glob("[0-9]*/comm")
         if comm.read_text().startswith("triton_python")]
os.kill(stubs[0], 9)
"""


@dataclass(frozen=True, kw_only=True)
class Options:
    """The base image; `slim_image` and `release` are empty for the defaults of a build."""

    base_image: str
    slim_image: str
    release: str


def parse_arguments(arguments: Sequence[str]) -> Options:
    """The options; UsageError for anything wrong in them."""
    parser = entry.Parser(prog="python -m utils.diagnosis.prove", allow_abbrev=False)
    parser.add_argument("--base-image", required=True)
    parser.add_argument("--slim-image", default="")
    parser.add_argument("--release", default="")
    return Options(**vars(parser.parse_args(arguments)))


def prove(options: Options) -> list[ProofRow]:
    """The rows of the table. Removes image, container and build tree afterwards."""
    name = f"doctor-{uuid.uuid4().hex[:8]}"
    try:
        build = _build(name, options)
        rows = [] if build.status == FAULT else list(_rows(f"tritoned_{name}:{TAG}", name))
        return [build, *sorted(rows, key=lambda row: row.row)]
    finally:
        connect().client.run("rmi", "--force", f"tritoned_{name}:{TAG}")
        for tree in (build_tree.BUILD / name / TAG, build_tree.BUILD / build_tree.UNFINISHED / name / TAG):
            build_tree.discard(tree)


def _build(name: str, options: Options) -> ProofRow:
    from utils.diagnosis import sample_model  # imports torch

    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="triton-doctor-") as folder:
        with stage("sample model"):
            model = str(sample_model.make(Path(folder) / "model"))
        command = [str(ROOT / "make_triton_image.sh"), model, model, "-", name, TAG, BATCH, "--no-measure"]
        values = {"base-image": options.base_image, "slim-image": options.slim_image, "release": options.release}
        command += [part for option, value in values.items() if value for part in (f"--{option}", value)]
        code, error = _run(command)
    seen = f"exit code {code}: {error}" if code else f"as PyTorch's, in {time.monotonic() - started:.0f} s"
    return proof_row(0, "image built, golden answers of a container", "as PyTorch's", seen, code)


def _run(command: Sequence[str]) -> tuple[int, str]:
    """The exit code and the error, if any; the output goes to stderr, without the lines of ADVICE."""
    error: list[str] = []
    with children.child_process(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as child:
        for line in child.stderr or ():
            if not line.strip().startswith(ADVICE):
                sys.stderr.write(line)
            if error or line.startswith("error: "):
                error.append(line.removeprefix("error: ").strip())
    # An error of the boot proof ends with lines of the server log; the last one has the reason.
    return child.returncode, " ".join(dict.fromkeys([*error[:1], *error[-1:]]))


def _rows(image: str, name: str) -> Iterator[ProofRow]:
    from utils.diagnosis.request_rows import request_rows

    try:
        with stage("fault table", BootProofError), connect().run(image, options=HARDENED) as container:
            target = Target(address=container.address.http, model=name)
            yield from request_rows(target, container.address.grpc)
            yield _kill_stub(container, target)
    except BootProofError as error:
        case = "started read-only, without capabilities, as uid 1000"
        yield proof_row(18, case, "ready", str(error), error.exit_code)


def _kill_stub(container: RunningContainer, target: Target) -> ProofRow:
    """Row 12. The kill runs in the container, because the engine may be on another machine."""
    client, name = container.client, container.name
    started = time.monotonic()
    killed = client.run("exec", name, "python3", "-I", "-S", "-c", KILL_STUB)
    refused = ended = 0.0
    while time.monotonic() - started < END_SECONDS and not ended:
        if not refused and not target.is_ready():
            refused = time.monotonic() - started
        if client.run("inspect", "--format", "{{.State.Running}}", name).stdout.strip() == "false":
            ended = time.monotonic() - started
            refused = refused or ended
        time.sleep(0.1)
    code = client.run("inspect", "--format", "{{.State.ExitCode}}", name).stdout.strip()
    right = killed.returncode == 0 and 0 < refused <= NOT_READY_SECONDS and ended and code not in ("0", "")
    if killed.returncode != 0:
        seen = f"no stub could be killed ({' '.join(killed.stderr.split())[:120]})"
    else:
        seen = f"not ready after {refused:.1f} s, " if refused else "still ready, "
        seen += f"exited with {code} after {ended:.1f} s" if ended else f"still running after {END_SECONDS:g} s"
    must = f"not ready in {NOT_READY_SECONDS:g} s, exit in {END_SECONDS:g} s, not with 0"
    return proof_row(12, "Python stub killed", must, seen, 0 if right else BootProofError.exit_code)


if __name__ == "__main__":
    entry.run(lambda: json.dumps([asdict(row) for row in prove(parse_arguments(sys.argv[1:]))]))

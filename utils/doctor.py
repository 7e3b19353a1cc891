"""Reports what is missing for a build; --prove tests a base image. Standard library only."""

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from utils import ROOT
from utils.diagnosis import base_image, docker, machine, network, storages
from utils.diagnosis.findings import FAULT, OK, WARNING, Finding, ProofRow, as_text, fault, fault_of, proof_row, warning
from utils.docker.engine import Engine
from utils.host import children, entry
from utils.host.errors import FactoryError, ImageError
from utils.repository.names import check_image
from utils.targets.releases import default_release, find_release, usable_releases

DESCRIPTION = """\
Reports whether this machine can build an image. It checks Python, disk, caches, Docker, the network, and the base image
if that is on the Docker engine. Each line is ok, a warning (some builds fail) or a fault (a build fails).
--prove builds a tiny classifier on the base image, runs the boot proof and the requests of docs/faults.md."""
EPILOG = """\
exit code: 0 without a fault, else that of a build with the first fault (see docs/usage.md)
example: ./doctor.sh --base-image nvcr.io/nvidia/tritonserver:26.08-py3 --prove"""


class FaultsFoundError(FactoryError):
    """The report contains a fault; the exit code is that of the first."""

    def __init__(self, exit_code: int, checks: Sequence[str]) -> None:
        super().__init__(f"{', '.join(checks)}: see the report above and its advice")
        self.exit_code = exit_code


@dataclass(frozen=True, kw_only=True)
class Options:
    """The command line; `base_image` and `slim_image` are empty for those of the default release."""

    base_image: str
    slim_image: str
    pull: bool
    prove: bool
    json: bool

    @property
    def image(self) -> str:
        """The base image to inspect."""
        return self.base_image or find_release(default_release()).triton_image

    @property
    def slim(self) -> str:
        """Its slim base; empty if it follows from the base image's distribution."""
        return self.slim_image or ("" if self.base_image else find_release(default_release()).slim_image)


def parse_arguments(arguments: Sequence[str]) -> Options:
    """The options; UsageError for invalid ones."""
    parser = entry.Parser(
        prog="./doctor.sh",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    default = find_release(default_release())
    parser.add_argument(
        "--base-image",
        metavar="IMAGE",
        default="",
        help=f"the Triton image to inspect (default: {default.triton_image})",
    )
    parser.add_argument(
        "--slim-image",
        metavar="IMAGE",
        default="",
        help="base of CPU images (default: a small one of the same distribution)",
    )
    parser.add_argument("--pull", action="store_true", help="pull the base image if it is not on the Docker engine")
    parser.add_argument("--prove", action="store_true", help="build an image on it and test the image; takes minutes")
    parser.add_argument("--json", action="store_true", help="print the report as one JSON object")
    options = Options(**vars(parser.parse_args(arguments)))
    for option, image in (("--base-image", options.base_image), ("--slim-image", options.slim_image)):
        if image:
            check_image(option, image)
    return options


def report(options: Options) -> str:
    """The report for stdout. If it contains a fault, it is printed and FaultsFoundError is raised."""
    running = network.Running([*network.checks(), *storages.checks()])
    sections = {"machine": machine.findings()}
    sections["docker"], engine = docker.client_and_engine(options.image)
    sections["base image"] = _base_image(options, engine)
    sections["network"] = running.findings()
    rows = []
    if options.prove:
        # Network faults do not matter: the cache may have the files.
        needed = [*sections["machine"], *sections["docker"], *sections["base image"]]
        broken = [each.check for each in needed if each.status == FAULT]
        if broken:
            sections["proof"] = [warning("proof", "not run", f"fix the faults above first: {', '.join(broken)}")]
        else:
            rows = _prove(options, engine)
    return _outcome(options, sections, rows)


def _base_image(options: Options, engine: Engine | None) -> list[Finding]:
    """Checks the image on the engine, or whether it can be pulled."""
    if engine is None:
        return [
            warning(
                "image", f"{options.image} is not inspected: no Docker engine responds", "fix the fault above first"
            )
        ]
    if options.pull:
        try:
            engine.pull_if_missing(options.image)
        except ImageError as error:
            return [fault_of("image", error)]
    if engine.has(options.image):
        return base_image.findings(engine, options.image, options.slim)
    absent = f"{options.image} is not on the Docker engine, so it cannot be inspected"
    advice = f"add --pull, or run: docker pull {options.image} (NVIDIA's images take 8 to 15 GB)"
    # A build pulls the default image. A report about a named image, or a proof, needs the image.
    needed = options.base_image or options.prove
    found = fault("image", absent, advice, ImageError) if needed else warning("image", absent, advice)
    checks: list[network.Check] = [("registry", lambda: network.registry(engine, options.image))]
    if options.slim and not engine.has(options.slim):
        checks.append(("slim base", lambda: network.registry(engine, options.slim, "slim base")))
    return [found, *network.Running(checks).findings()]


def _prove(options: Options, engine: Engine | None) -> list[ProofRow]:
    """Runs the proof in the factory environment, which is created if needed. Progress goes to stderr."""
    release = engine.triton_release(options.image) if engine else ""
    values = {
        "base-image": options.image,
        "slim-image": options.slim,
        "release": release if release in usable_releases() else "",
    }
    command = [sys.executable, str(ROOT / "utils/launch.py"), "utils.host.environment", "utils.diagnosis.prove"]
    command += [part for option, value in values.items() if value for part in (f"--{option}", value)]
    with children.child_process(command, stdout=subprocess.PIPE) as child:
        output, _ = child.communicate()
    if child.returncode == 0:
        return [ProofRow(**row) for row in json.loads(output)]
    seen = f"exited with {child.returncode}: see the lines above the report"
    return [proof_row(0, "proof", "completed", seen, child.returncode)]


def _outcome(options: Options, sections: Mapping[str, Sequence[Finding]], rows: Sequence[ProofRow]) -> str:
    lines = [(each.check, each) for findings in sections.values() for each in findings]
    every: list[tuple[str, Finding | ProofRow]] = [*lines, *((row.case, row) for row in rows)]
    faults = [(name, each.exit_code) for name, each in every if each.status == FAULT]
    statuses = {each.status for _, each in every}
    text = as_text(sections, rows)
    if options.json:
        whole = {
            "status": next(status for status in (FAULT, WARNING, OK) if status in statuses),
            "exit_code": faults[0][1] if faults else 0,
            "base_image": options.image,
            "sections": {title: [asdict(each) for each in findings] for title, findings in sections.items()},
            "proof": [asdict(row) for row in rows],
        }
        text = json.dumps(whole, ensure_ascii=False)
    if faults:
        entry.write_stdout(f"{text}\n")
        raise FaultsFoundError(faults[0][1], list(dict.fromkeys(name for name, _ in faults)))
    return text


if __name__ == "__main__":
    entry.run(lambda: report(parse_arguments(sys.argv[1:])))

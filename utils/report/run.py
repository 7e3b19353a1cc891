"""The commands that run what was built, as a user types them in the folder that holds `build/`."""

import shlex
from dataclasses import dataclass
from pathlib import Path

from deploy.supervisor.settings import Settings
from deploy.supervisor.try_page import DATA
from utils.host.build_tree import BUILD
from utils.host.installed import COMMANDS, INSTALLED
from utils.host.loopback import curl
from utils.proof.golden import GoldenRow, json_request
from utils.report.section import Finished
from utils.targets.runtimes import RUNTIMES

# A longer request (a picture, an array of tokens) does not suit a command line.
LONGEST_REQUEST = 400
PORTS = (8000, 8001, 8002)
PAGE = "http://127.0.0.1:8000/try/"


@dataclass(frozen=True, kw_only=True)
class Command:
    """A command for a shell, and what it does."""

    does: str
    command: str


@dataclass(frozen=True, kw_only=True)
class Run:
    """The commands, in the order in which they are tried."""

    commands: tuple[Command, ...]


def make(finished: Finished) -> Run:
    """With paths relative to the folder that holds `build/`, where they are below it."""
    place = finished.place
    if place.is_relative_to(BUILD.parent):
        place = place.relative_to(BUILD.parent)
    return Run(
        commands=commands(
            finished.golden.rows,
            device=finished.context.device,
            place=place,
            serve=COMMANDS["serve.sh"] if INSTALLED else "./serve.sh",
            image=finished.reference or finished.image,
            has_api=bool(finished.context.api),
            has_page=(finished.tree / DATA).is_file(),
        )
    )


def commands(
    rows: tuple[GoldenRow, ...],
    *,
    device: str,
    place: Path,
    serve: str,
    image: str = "",
    has_api: bool = False,
    has_page: bool = False,
) -> tuple[Command, ...]:
    """Of the image if there is one, and of the model repository, which needs no Docker; then a first request.

    `has_page`: also name the option that serves the try-it page.
    """
    found = []
    if image:
        run = ["docker", "run", "--rm", *RUNTIMES[device].run_options]
        ports = (*PORTS, *([Settings.api_port] if has_api else []))
        run += [part for port in ports for part in ("-p", f"127.0.0.1:{port}:{port}")]
        found.append(Command(does="Run the image", command=shlex.join([*run, image])))
        compose = ["docker", "compose", "-f", str(place / "deploy/compose.yaml"), "up"]
        found.append(Command(does="Or with the settings of production", command=shlex.join(compose)))
    command = shlex.join([serve, str(place / "model_repository"), *(["--api"] if has_api else [])])
    found.append(Command(does="Or without Docker" if image else "Serve the model repository", command=command))
    if has_page:
        found.append(Command(does=f"With a page to try it, {PAGE}", command=f"{command} --try"))
    if rows[0].fits_json and len(str(rows[0].inputs)) <= LONGEST_REQUEST:
        url = f"http://127.0.0.1:8000/v2/models/{rows[0].path}/infer"
        command = shlex.join([*curl(), "-X", "POST", url, "-d", json_request(rows[0])])
        found.append(Command(does="Send a request", command=command))
    return tuple(found)

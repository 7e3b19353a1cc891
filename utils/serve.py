"""Serves a built model repository in the foreground, until SIGINT or SIGTERM. Standard library only."""

import argparse
import os
import shlex
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from utils.host import entry, environment
from utils.host.errors import BootProofError, Terminated, UsageError
from utils.host.loopback import curl
from utils.triton.server import SERVICES, LocalServer, environment_for, serve

EXAMPLE = "example:\n  ./serve.sh build/ensemble_model/latest --http-port 8000"


@dataclass(frozen=True, kw_only=True)
class Options:
    """What to serve and where to listen; port 0 takes a free one."""

    model_repository: Path
    host: str
    http_port: int
    grpc_port: int
    metrics_port: int


def parse_arguments(arguments: Sequence[str]) -> Options:
    """The options. Raises UsageError for anything wrong in them, a folder without models included."""
    parser = entry.Parser(
        prog="./serve.sh",
        description="Serves a built model repository without Docker: Triton from PyPI, for development, on the CPU.\n"
        "It listens until SIGINT or SIGTERM; the server's log goes to stderr.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "model_repository",
        metavar="MODEL_REPOSITORY",
        type=Path,
        help="a model repository, or a build tree with model_repository/ in it",
    )
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: %(default)s)")
    for number, service in enumerate(SERVICES, start=8000):
        help_text = f"port for {service}; 0 takes a free one (default: %(default)s)"
        parser.add_argument(f"--{service}-port", metavar="PORT", type=_port, default=number, help=help_text)
    parsed = parser.parse_args(arguments)
    ports = [getattr(parsed, f"{service}_port") for service in SERVICES]
    named = [port for port in ports if port]
    if len(set(named)) < len(named):
        listed = ", ".join(map(str, ports))
        raise UsageError(f"the http, grpc and metrics ports are {listed}; three different ones are needed")
    return Options(**{**vars(parsed), "model_repository": find_models(parsed.model_repository)})


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) < 65536):
        raise argparse.ArgumentTypeError(f"'{text}' is no port; a number from 0 to 65535 is needed")
    return int(text)


def find_models(folder: Path) -> Path:
    """`folder`, or the model_repository/ in it, whichever has models. Raises UsageError when neither has."""
    if not folder.is_dir():
        raise UsageError(
            f"MODEL_REPOSITORY '{folder}' is not a folder; give a built model repository or its build tree"
        )
    for candidate in (folder, folder / "model_repository"):
        if any(candidate.glob("*/config.pbtxt")):
            return candidate
    raise UsageError(
        f"MODEL_REPOSITORY '{folder}' has no */config.pbtxt; give a built model repository, "
        "such as model_repository/ in a build tree"
    )


def sample_request(model_repository: Path, http: str) -> str:
    """A command to try: a text for a model that takes one (the ensemble if there is one), else what a model takes."""
    configs = {path.parent.name: path.read_text(errors="replace") for path in model_repository.glob("*/config.pbtxt")}
    takers = sorted(
        (name for name in configs if '"text_input"' in configs[name]), key=lambda n: (_inner(configs[n]), n)
    )
    if not takers:
        return shlex.join([*curl(), "-s", f"http://{http}/v2/models/{min(configs)}"])
    url = f"http://{http}/v2/models/{takers[0]}/generate"
    return shlex.join([*curl(), "-s", url, "-d", '{"text_input": "Hello"}'])


def _inner(config: str) -> bool:
    return "ensemble_scheduling" not in config


def run(options: Options) -> str:
    """Serves until a signal. Raises BootProofError when the server does not start, or ends by itself."""
    # A shell starts background jobs with SIGINT ignored, and Python then leaves it so.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    environment.ensure(environment_for(options.model_repository))
    try:
        with serve(
            options.model_repository,
            host=options.host,
            http_port=options.http_port,
            grpc_port=options.grpc_port,
            metrics_port=options.metrics_port,
            log=sys.stderr.buffer,
        ) as server:
            _announce(options, server)
            server.wait()
            raise BootProofError("Triton ended by itself; see its log above")
    except (KeyboardInterrupt, Terminated):
        print("stopped", file=sys.stderr)
    return ""


def _announce(options: Options, server: LocalServer) -> None:
    places = f"http {server.address.http}, grpc {server.address.grpc}, metrics {server.metrics}"
    request = sample_request(options.model_repository, server.address.http)
    print(f"listening on {places}; try: {request}", file=sys.stderr, flush=True)


def main(arguments: Sequence[str]) -> NoReturn:
    """Parses, serves, exits."""
    try:
        options = parse_arguments(arguments)
    except UsageError as error:
        entry.print_error(error)
        sys.exit(error.exit_code)
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    entry.run(lambda: run(options))


if __name__ == "__main__":
    main(sys.argv[1:])

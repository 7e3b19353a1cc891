"""Serves a built model repository in the foreground until SIGINT or SIGTERM. Standard library only."""

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
    """The model repository and the addresses; port 0 selects a free one."""

    model_repository: Path
    host: str
    http_port: int
    grpc_port: int
    metrics_port: int


def parse_arguments(arguments: Sequence[str]) -> Options:
    """The options. Raises UsageError for invalid ones and for a folder without models."""
    parser = entry.Parser(
        prog="./serve.sh",
        description="Serves a built model repository without Docker: Triton from PyPI, for development, on the CPU.\n"
        "It runs until SIGINT or SIGTERM; the server log goes to stderr.",
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
        help_text = f"port for {service}; 0 selects a free one (default: %(default)s)"
        parser.add_argument(f"--{service}-port", metavar="PORT", type=_port, default=number, help=help_text)
    parsed = parser.parse_args(arguments)
    ports = [getattr(parsed, f"{service}_port") for service in SERVICES]
    named = [port for port in ports if port]
    if len(set(named)) < len(named):
        listed = ", ".join(map(str, ports))
        raise UsageError(f"the http, grpc and metrics ports are {listed}; choose three different ports")
    return Options(**{**vars(parsed), "model_repository": find_models(parsed.model_repository)})


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) < 65536):
        raise argparse.ArgumentTypeError(f"'{text}' is not a port; use a number from 0 to 65535")
    return int(text)


def find_models(folder: Path) -> Path:
    """`folder` or its model_repository/, whichever contains models. Raises UsageError when neither does."""
    if not folder.is_dir():
        raise UsageError(
            f"MODEL_REPOSITORY '{folder}' is not a folder; pass a built model repository or its build tree"
        )
    for candidate in (folder, folder / "model_repository"):
        if any(candidate.glob("*/config.pbtxt")):
            return candidate
    raise UsageError(
        f"MODEL_REPOSITORY '{folder}' has no */config.pbtxt; pass a built model repository, "
        "such as model_repository/ in a build tree"
    )


def sample_request(model_repository: Path, http: str) -> str:
    """An example command: a text for a model with text_input (the ensemble first), else a model's metadata."""
    configs = {path.parent.name: path.read_text(errors="replace") for path in model_repository.glob("*/config.pbtxt")}
    candidates = sorted(
        (name for name in configs if '"text_input"' in configs[name]), key=lambda n: (_inner(configs[n]), n)
    )
    if not candidates:
        return shlex.join([*curl(), "-s", f"http://{http}/v2/models/{min(configs)}"])
    url = f"http://{http}/v2/models/{candidates[0]}/generate"
    return shlex.join([*curl(), "-s", url, "-d", '{"text_input": "Hello"}'])


def _inner(config: str) -> bool:
    return "ensemble_scheduling" not in config


def run(options: Options) -> str:
    """Serves until a signal. Raises BootProofError when the server does not start or exits."""
    # A shell starts background jobs with SIGINT ignored, and Python keeps that.
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
            try:
                _announce(options, server)
                server.wait()
                raise BootProofError("Triton exited; see its log above")
            finally:
                server.drain()
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

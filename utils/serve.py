"""Serves a built model repository in the foreground until SIGINT or SIGTERM. Standard library only."""

import argparse
import contextlib
import os
import shlex
import signal
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

from deploy.supervisor.try_page import DATA
from utils.host import entry, environment
from utils.host.environments import API
from utils.host.errors import BootProofError, Terminated, UsageError
from utils.host.loopback import curl
from utils.repository.context import API_FILE
from utils.triton.api import serve_api
from utils.triton.server import SERVICES, LocalServer, environment_for, read_settings, serve

EXAMPLE = "example:\n  ./serve.sh build/ensemble_model/latest --http-port 8000"


@dataclass(frozen=True, kw_only=True)
class Options:
    """The model repository and the addresses. `ports` are those of SERVICES; 0 selects a free one.

    `api`: run the API process as well. `page`: the try.json, with --try.
    """

    model_repository: Path
    host: str
    ports: tuple[int, ...]
    api: bool
    api_port: int
    page: Path | None = None

    @property
    def api_facts(self) -> Path:
        """What the build wrote for the API process."""
        return self.model_repository.parent / API_FILE


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
    free = "0 selects a free one (default: %(default)s)"
    for number, service in enumerate(SERVICES, start=8000):
        help_text = f"port for {service}; {free}"
        parser.add_argument(f"--{service}-port", metavar="PORT", type=_port, default=number, help=help_text)
    parser.add_argument("--api", action="store_true", help="also answer the routes of other APIs (docs/api.md)")
    parser.add_argument("--api-port", metavar="PORT", type=_port, default=8080, help=f"port for --api; {free}")
    parser.add_argument("--try", action="store_true", help="also serve the try-it page, /try/ at the HTTP port")
    parsed = parser.parse_args(arguments)
    services = [*SERVICES, *(["api"] if parsed.api else [])]
    ports = tuple(getattr(parsed, f"{service}_port") for service in services)
    named = [port for port in ports if port]
    if len(set(named)) < len(named):
        listed = ", ".join(map(str, ports))
        raise UsageError(
            f"the {', '.join(services[:-1])} and {services[-1]} ports are {listed}; choose different ports"
        )
    models = find_models(parsed.model_repository)
    options = Options(
        model_repository=models,
        host=parsed.host,
        ports=ports[: len(SERVICES)],
        api=parsed.api,
        api_port=parsed.api_port,
        page=find_page(models) if getattr(parsed, "try") else None,
    )
    if options.api and not options.api_facts.is_file():
        raise UsageError(
            f"--api needs {str(options.api_facts)!r}, which a build writes for the tasks of docs/api.md; pass the "
            "build tree of such a model, or leave --api out"
        )
    return options


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


def find_page(model_repository: Path) -> Path:
    """The try.json beside a model repository; UsageError if there is none."""
    page = model_repository.resolve().parent / DATA
    if not page.is_file():
        raise UsageError(
            f"--try needs the {DATA} that a build writes beside its model repository, and '{page}' does not exist; "
            "pass a build tree, or build the model again"
        )
    return page


def sample_request(model_repository: Path, http: str) -> str:
    """An example command: a text for a model with text_input (the ensemble first), else a model's metadata."""
    configs = {path.parent.name: path.read_text(errors="replace") for path in model_repository.glob("*/config.pbtxt")}
    texts = sorted(name for name in configs if '"text_input"' in configs[name])
    candidates = sorted(texts, key=lambda name: "ensemble_scheduling" not in configs[name])
    if not candidates:
        return shlex.join([*curl(), "-s", f"http://{http}/v2/models/{min(configs)}"])
    url = f"http://{http}/v2/models/{candidates[0]}/generate"
    return shlex.join([*curl(), "-s", url, "-d", '{"text_input": "Hello"}'])


def run(options: Options) -> str:
    """Serves until a signal. Raises BootProofError when the server does not start or exits."""
    # A shell starts background jobs with SIGINT ignored, and Python keeps that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    environment.ensure(environment_for(options.model_repository))
    if options.api:
        environment.ensure(API)
    try:
        with serve(
            options.model_repository,
            host=options.host,
            ports=options.ports,
            log=sys.stderr.buffer,
            page=options.page,
        ) as server:
            try:
                _announce(options, server)
                with _api(options, server):
                    server.wait()
                raise BootProofError("Triton exited; see its log above")
            finally:
                server.drain()
    except (KeyboardInterrupt, Terminated):
        print("stopped", file=sys.stderr)
    return ""


@contextlib.contextmanager
def _api(options: Options, server: LocalServer) -> Iterator[None]:
    """Runs the API process during the block if it is asked for."""
    if not options.api:
        yield
        return
    limits = replace(read_settings(), api_address=options.host, api_port=options.api_port)
    with serve_api(options.api_facts, options.model_repository, server.address, limits) as address:
        print(f"API at http://{address.api}, its routes at http://{address.api}/docs", file=sys.stderr, flush=True)
        yield


def _announce(options: Options, server: LocalServer) -> None:
    places = f"http {server.address.http}, grpc {server.address.grpc}, metrics {server.metrics}"
    request = sample_request(options.model_repository, server.address.http)
    print(f"listening on {places}; try: {request}", file=sys.stderr, flush=True)
    if options.page:
        print(f"try-it page: http://{server.address.http}/try/", file=sys.stderr, flush=True)


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

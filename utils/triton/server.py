"""Serves a model repository without Docker, with the Triton from PyPI or TRITON_ROOT's. Standard library only."""

import contextlib
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from deploy.supervisor import flags, release, settings
from deploy.supervisor.body_limits import Rules
from deploy.supervisor.errors import SettingError
from deploy.supervisor.guard import Place
from deploy.supervisor.triton_errors import PORT_LOST
from utils.host import environment
from utils.host.errors import BootProofError, UsageError
from utils.triton import root as triton_root
from utils.triton.layout import ask, keep_bytecode_apart, lay_out
from utils.triton.ports import choose_ports
from utils.triton.process import EXIT_SECONDS, LocalServer, help_text

__all__ = ["LocalServer", "lay_out", "serve"]

# In a config.pbtxt; the second is what TorchScript's backend is also known by.
PYTORCH = re.compile(r'^\s*(backend\s*:\s*"pytorch"|platform\s*:\s*"pytorch_libtorch")', re.MULTILINE)
SERVICES = ("http", "grpc", "metrics")
ATTEMPTS = 5
PLAIN_PATH = re.compile(r"[\w./+@%=-]+", re.ASCII)


@contextlib.contextmanager
def serve(
    model_repository: Path,
    *,
    host: str = "127.0.0.1",
    http_port: int = 0,
    grpc_port: int = 0,
    metrics_port: int = 0,
    log: Path | BinaryIO | None = None,
    ready_within: float = 60.0,
) -> Iterator[LocalServer]:
    """A ready Triton on `model_repository` for the time of the block; port 0 takes a free one.

    `log` is a file, or an open binary stream, that gets what the server writes. Raises BootProofError (with the reason
    from the log) when the server does not get ready within `ready_within` seconds, or when a port asked for is taken.
    """
    needed = environment_for(model_repository)
    python, triton_folder = triton_for(needed)
    interpreter = ask(python)
    keep_bytecode_apart(interpreter, needed.folder / "pycache")
    wanted = dict(zip(SERVICES, (http_port, grpc_port, metrics_port), strict=True))
    with contextlib.ExitStack() as stack:
        stream = stack.enter_context(log.open("wb")) if isinstance(log, Path) else log
        models = stack.enter_context(_plain(model_repository.resolve()))
        triton = stack.enter_context(_plain(triton_folder))
        known, limits = flags.known(help_text(triton, interpreter)), _settings()
        hardening = flags.hardening(known, admin_key=limits.admin_key, max_input_bytes=limits.max_input_bytes)
        rules = release.rules(limits, release.release_of({}, str(triton / "bin/tritonserver")))

        def launch(ports: Mapping[str, int]) -> LocalServer:
            place = _place(host, ports["http"], rules) if limits.is_guarded else None
            added = [
                *hardening,
                *(place.triton_flags if place else []),
            ]
            command = [*flags.without(_command(models, triton, host, ports), added), *added]
            return LocalServer(
                command, triton=triton, interpreter=interpreter, host=host, ports=ports, log=stream, place=place
            )

        server = _start(launch, host, wanted, ready_within)
        try:
            yield server
        finally:
            server.stop()


def triton_for(needed: environment.Environment) -> tuple[Path, Path]:
    """(the environment's Python, the folder of the Triton that runs on it): TRITON_ROOT's, or the one from PyPI."""
    root = triton_root.chosen()
    python = environment.ensure(needed)
    folder = needed.folder / ("tritonserver-root" if root else "tritonserver")
    if root:
        triton_root.lay_out(root, ask(python).version, folder)
    else:
        lay_out(python, folder)
    return python, folder


def environment_for(model_repository: Path) -> environment.Environment:
    """The one that has what the repository's models run on."""
    configs = (path.read_text(errors="replace") for path in model_repository.glob("*/config.pbtxt"))
    return environment.SERVING_TORCH if any(map(PYTORCH.search, configs)) else environment.SERVING


@contextlib.contextmanager
def _plain(folder: Path) -> Iterator[Path]:
    """`folder`, or a link to it for the time of the block.

    The Python backend starts its stubs by an unquoted shell line: with a space in a path they crash, and Triton waits
    for them for ever. And their Python takes file names for ASCII.
    """
    if PLAIN_PATH.fullmatch(str(folder)):
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="triton-", dir="/tmp") as place:
        link = Path(place, "link")
        link.symlink_to(folder)
        yield link


def _start(
    launch: Callable[[Mapping[str, int]], LocalServer], host: str, wanted: Mapping[str, int], seconds: float
) -> LocalServer:
    for attempt in range(1, ATTEMPTS + 1):
        server = launch(choose_ports(host, wanted))
        try:
            server.wait_until_ready(seconds)
            return server
        except BaseException as error:
            server.stop()
            # Between our look and Triton's bind another program can take a free port: then others are chosen.
            lost = isinstance(error, BootProofError) and PORT_LOST in server.log_text()
            if not lost or attempt == ATTEMPTS:
                raise
    raise AssertionError("unreachable")


def _settings() -> settings.Settings:
    """As in the image; UsageError for a setting of the environment that is none."""
    try:
        return settings.read(os.environ)
    except SettingError as error:
        raise UsageError(str(error)) from error


def _place(host: str, port: int, rules: Rules) -> Place:
    """Of a guard. BootProofError for a port that was lost since it was chosen."""
    try:
        return Place(host, port, rules)
    except OSError as error:
        raise BootProofError(f"cannot listen on {host}:{port} for http: {error.strerror}; start it anew") from error


def _command(model_repository: Path, triton: Path, host: str, ports: Mapping[str, int]) -> list[str]:
    return [
        str(triton / "bin/tritonserver"),
        f"--model-repository={model_repository}",
        f"--backend-directory={triton / 'backends'}",
        f"--cache-directory={triton / 'caches'}",
        "--backend-config=python,shm-default-byte-size=1048576",
        "--disable-auto-complete-config",
        f"--exit-timeout-secs={EXIT_SECONDS}",
        *(f"--{service}-address={host}" for service in SERVICES),
        *(f"--{service}-port={ports[service]}" for service in SERVICES),
    ]

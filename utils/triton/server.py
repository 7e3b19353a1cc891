"""Serves a model repository without Docker, with the Triton from PyPI or TRITON_ROOT's. Standard library only."""

import contextlib
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from deploy.supervisor import flags, release, settings, try_page
from deploy.supervisor.body_limits import Rules
from deploy.supervisor.errors import SettingError
from deploy.supervisor.guard import Place
from deploy.supervisor.triton_errors import PORT_LOST
from utils import ROOT
from utils.host import environment
from utils.host.environments import SERVING, SERVING_TORCH, Environment
from utils.host.errors import BootProofError, UsageError
from utils.triton import root as triton_root
from utils.triton.layout import inspect_interpreter, keep_bytecode_apart, lay_out
from utils.triton.ports import choose_ports
from utils.triton.process import EXIT_SECONDS, LocalServer, help_text

__all__ = ["LocalServer", "lay_out", "read_settings", "serve"]

# In a config.pbtxt: the two names of the TorchScript backend.
PYTORCH = re.compile(r'^\s*(backend\s*:\s*"pytorch"|platform\s*:\s*"pytorch_libtorch")', re.MULTILINE)
SERVICES = ("http", "grpc", "metrics")
ATTEMPTS = 5
TRY_PAGE = ROOT / "deploy" / try_page.FOLDER
PLAIN_PATH = re.compile(r"[\w./+@%=-]+", re.ASCII)


@contextlib.contextmanager
def serve(
    model_repository: Path,
    *,
    host: str = "127.0.0.1",
    ports: Sequence[int] = (0, 0, 0),
    log: Path | BinaryIO | None = None,
    ready_within: float = 60.0,
    page: Path | None = None,
) -> Iterator[LocalServer]:
    """Runs Triton on `model_repository`, ready, for the duration of the block, and kills it then.

    `ports` are those of SERVICES; 0 selects a free one. `log` is a file, or an open binary stream, for the server's
    output. `page`: a try.json, with which the guard also serves the try-it page. Raises BootProofError (with the reason
    from the log) when the server is not ready within `ready_within` seconds, or when a requested port is taken.
    """
    needed = environment_for(model_repository)
    python, triton_folder = triton_for(needed)
    interpreter = inspect_interpreter(python)
    keep_bytecode_apart(interpreter, needed.folder / "pycache")
    requested = dict(zip(SERVICES, ports, strict=True))
    with contextlib.ExitStack() as stack:
        stream = stack.enter_context(log.open("wb")) if isinstance(log, Path) else log
        models = stack.enter_context(_plain(model_repository.resolve()))
        triton = stack.enter_context(_plain(triton_folder))
        known, limits = flags.known(help_text(triton, interpreter)), read_settings(with_page=bool(page))
        hardening = flags.hardening(known, admin_key=limits.admin_key, max_input_bytes=limits.max_input_bytes)
        rules = release.rules(limits, release.release_of({}, str(triton / "bin/tritonserver")))

        def launch(ports: Mapping[str, int]) -> LocalServer:
            place = _place(host, ports["http"], rules, page) if limits.is_guarded else None
            added = [
                *hardening,
                *(flags.measuring(known) if limits.model_metrics else []),
                *(place.triton_flags if place else []),
            ]
            command = [*flags.without(_command(models, triton, host, ports), added), *added]
            return LocalServer(
                command, triton=triton, interpreter=interpreter, host=host, ports=ports, log=stream, place=place
            )

        server = _start(launch, host, requested, ready_within)
        try:
            yield server
        finally:
            server.stop()


def triton_for(needed: Environment) -> tuple[Path, Path]:
    """(the environment's Python, the folder of the Triton for it): that of TRITON_ROOT, or the one from PyPI."""
    root = triton_root.selected()
    python = environment.ensure(needed)
    folder = needed.folder / ("tritonserver-root" if root else "tritonserver")
    if root:
        triton_root.lay_out(root, inspect_interpreter(python).version, folder)
    else:
        lay_out(python, folder)
    return python, folder


def environment_for(model_repository: Path) -> Environment:
    """The environment with the packages that the repository's models need."""
    configs = (path.read_text(errors="replace") for path in model_repository.glob("*/config.pbtxt"))
    return SERVING_TORCH if any(map(PYTORCH.search, configs)) else SERVING


@contextlib.contextmanager
def _plain(folder: Path) -> Iterator[Path]:
    """`folder`, or for the duration of the block a link to it whose path has plain characters only.

    The Python backend starts its stubs with an unquoted shell line: with a space in a path they crash, and Triton waits
    for them forever. Their Python decodes file names as ASCII.
    """
    if PLAIN_PATH.fullmatch(str(folder)):
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="triton-", dir="/tmp") as place:
        link = Path(place, "link")
        link.symlink_to(folder)
        yield link


def _start(
    launch: Callable[[Mapping[str, int]], LocalServer], host: str, requested: Mapping[str, int], seconds: float
) -> LocalServer:
    for attempt in range(1, ATTEMPTS + 1):
        server = launch(choose_ports(host, requested))
        try:
            server.wait_until_ready(seconds)
            return server
        except BaseException as error:
            server.stop()
            # Another program can take a free port before Triton binds it: other ports are chosen then.
            lost = isinstance(error, BootProofError) and PORT_LOST in server.log_text()
            if not lost or attempt == ATTEMPTS:
                raise
    raise AssertionError("unreachable")


def read_settings(*, with_page: bool = False) -> settings.Settings:
    """The settings, as in the image; UsageError for an invalid environment variable."""
    try:
        return settings.read({**os.environ, settings.TRY_PAGE: str(with_page).lower()})
    except SettingError as error:
        raise UsageError(str(error)) from error


def _place(host: str, port: int, rules: Rules, page: Path | None) -> Place:
    """The guard's place. BootProofError when another program took the port."""
    try:
        return Place(host, port, rules, (str(TRY_PAGE), str(page.resolve())) if page else None)
    except OSError as error:
        raise BootProofError(
            f"cannot listen on {host}:{port} for http: {error.strerror}; start the server again"
        ) from error


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

"""Runs a storage's two functions in a child process of the storage's environment with a hard time limit.

SDKs retry for hours, and a server that accepts and never answers blocks them forever; only the end of the process
stops that. They also leave temporary files, so the child has a folder of its own for them. `local:` runs in this
process.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from utils import ROOT
from utils.host import environment
from utils.host.children import with_parent_death_signal
from utils.host.environments import ENVIRONMENTS
from utils.host.errors import SourceError, UsageError
from utils.host.temporary import private_folder
from utils.sources.storage import STORAGES, FetchedArtifact, StorageRef, local
from utils.sources.storage.certificates import for_all_clients

# Not `-m`: that puts the current folder, which may have a `utils` of its own, before this project.
_START = "import sys; sys.path[0] = sys.argv[1]; from utils.sources.storage.child import main; main()"


# Resolving a revision is one short request; after this time the server does not work, however long its files may take.
FIRST_ANSWER_SECONDS = 30.0


def resolve(reference: StorageRef, *, limit: float) -> str:
    """The exact revision of `reference`, or SourceError after `limit` seconds, or FIRST_ANSWER_SECONDS if less."""
    if reference.scheme == "local":
        return local.resolve(reference.locator)
    return _call(reference, "resolve", min(limit, FIRST_ANSWER_SECONDS))


def fetch(
    reference: StorageRef, revision: str, patterns: tuple[str, ...], destination: Path, *, limit: float
) -> FetchedArtifact:
    """The files of `revision` that match `patterns`, or SourceError after `limit` seconds."""
    if reference.scheme == "local":
        path = local.fetch(reference.locator, revision, patterns, destination)
    else:
        folder = str(destination.absolute())
        path = Path(_call(reference, "fetch", limit, revision=revision, patterns=patterns, destination=folder))
    return FetchedArtifact(path=path, revision=revision)


def _call(reference: StorageRef, function: str, limit: float, **arguments: object) -> str:
    # The module's name, not the scheme: a row added in this process also works in the child.
    row = STORAGES[reference.scheme]
    python = _python(reference, row.environment)  # the time limit starts after the set-up
    request = {
        "reference": str(reference),
        "module": row.module,
        "function": function,
        "arguments": {"locator": reference.locator, **arguments},
    }
    with private_folder() as temporary:
        answer, status = _answer(python, json.dumps(request).encode(), temporary, limit)
    if answer is None:
        # More time does not help if the server does not return a revision.
        silent = function == "resolve" and limit >= FIRST_ANSWER_SECONDS
        remedy = " and the network" if silent else ", or allow more time with --fetch-timeout SECONDS"
        raise SourceError(f"no answer for {reference} in {limit:g} seconds; check that its server responds{remedy}")
    return _unpacked(answer, reference, status)


def _answer(python: str, request: bytes, temporary: Path, limit: float) -> tuple[bytes | None, int]:
    """What the child writes and its exit status; None after `limit` seconds."""
    child = subprocess.Popen(
        with_parent_death_signal([python, "-c", _START, str(ROOT)]),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=_environment(temporary),
        start_new_session=True,
    )
    try:
        return child.communicate(request, timeout=limit)[0], child.returncode
    except subprocess.TimeoutExpired:
        return None, 0
    finally:
        # Also on Ctrl-C and SIGTERM, and after success: it ends what the SDK started.
        _end(child)


def _python(reference: StorageRef, name: str | None) -> str:
    if name is None:
        return sys.executable
    try:
        return str(environment.ensure(ENVIRONMENTS[name]))
    except UsageError as error:
        raise SourceError(f"{reference} needs the environment {name!r}, which cannot be made: {error}") from error


def _environment(temporary: Path) -> dict[str, str]:
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    own = {"PYTHONPATH": path, "ORT_DISABLE_TELEMETRY": "1", "TMPDIR": str(temporary)}
    return {**os.environ, **for_all_clients(os.environ), **own}


def _end(child: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    for stream in (child.stdin, child.stdout):
        if stream:
            # Closing flushes to a pipe without a reader.
            with contextlib.suppress(BrokenPipeError):
                stream.close()


def _unpacked(answer: bytes, reference: StorageRef, status: int) -> str:
    try:
        result = json.loads(answer)
    except ValueError:
        raise SourceError(
            f"the process that reads {reference} exited with status {status} and no result; if memory or disk "
            "space is low, free some, then run the same command again with --debug"
        ) from None
    if "error" in result:
        raise SourceError(result["error"])
    return str(result["value"])

"""One process of a storage's environment that answers many requests, for tests with many faults.

It is the child of bounded.py, except that it stays: importing an SDK takes seconds.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from utils import ROOT
from utils.host import environment
from utils.host.environments import ENVIRONMENTS
from utils.host.errors import SourceError
from utils.sources.storage import Row, StorageRef
from utils.sources.storage.certificates import for_all_clients

# `sys.argv`: -c, root, statements
LOOP = """
import json, sys
sys.path[0] = sys.argv[1]
from utils.host.streams import take_stdout
from utils.sources.storage.child import answer_to
answers = take_stdout()
exec(sys.argv[2])
for line in sys.stdin:
    answers.write(json.dumps(answer_to(json.loads(line))).encode() + b"\\n")
    answers.flush()
"""


class Worker:
    """Runs resolve and fetch of the storage `row`.

    `variables`: its whole environment. `log` gets its stderr. `before`: statements that it runs first.
    """

    def __init__(self, row: Row, variables: Mapping[str, str], log: IO[bytes], before: str = "") -> None:
        python = environment.ensure(ENVIRONMENTS[row.environment]) if row.environment else sys.executable
        self._module = row.module
        self._temporary = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self._process = subprocess.Popen(
            [str(python), "-c", LOOP, str(ROOT), before],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env={**variables, **for_all_clients(variables), "PYTHONPATH": str(ROOT), "TMPDIR": self._temporary.name},
        )

    def resolve(self, reference: StorageRef) -> str:
        return self._ask(reference, "resolve", locator=reference.locator)

    def fetch(self, reference: StorageRef, revision: str, patterns: tuple[str, ...], destination: Path) -> Path:
        arguments = {"revision": revision, "patterns": patterns, "destination": str(destination)}
        return Path(self._ask(reference, "fetch", locator=reference.locator, **arguments))

    def _ask(self, reference: StorageRef, function: str, **arguments: object) -> str:
        assert self._process.stdin and self._process.stdout
        request = {"reference": str(reference), "module": self._module, "function": function, "arguments": arguments}
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        if "error" in answer:
            raise SourceError(answer["error"])
        return str(answer["value"])

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()
        self._temporary.cleanup()

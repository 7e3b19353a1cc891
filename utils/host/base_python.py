"""The Python inside an environment: whether it works, and which version the environment was made with.

Standard library only. The facts are recorded in the folder: a process is started only after one of the files changed.
"""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

RECORD = "python.json"
# Every build uses these modules. A program that finds another build's standard library lacks some.
_FACTS = """
import ctypes, json, os, subprocess, sys, sysconfig, zlib
config = open(os.path.join(sys.prefix, "pyvenv.cfg"), encoding="utf-8")
values = dict(line.strip().partition(" = ")[::2] for line in config)
made_with = values.get("version") or values["version_info"]
if made_with.split(".")[:2] != [str(part) for part in sys.version_info[:2]]:
    sys.exit("the environment was made with Python " + made_with)
library = os.path.join(sysconfig.get_config_var("LIBDIR") or "", sysconfig.get_config_var("INSTSONAME") or "none")
libraries = [library] if os.path.isfile(library) else []
print(json.dumps([sys.version, ["bin/python", "pyvenv.cfg", os.__file__, *libraries]]))
"""


@dataclass(frozen=True, kw_only=True)
class OwnPython:
    """`version`: sys.version when the environment was made; a patch release since then does not change it.

    `files`: the interpreter's files by path (relative to the environment, or absolute), each with its size in bytes
    and its modification time in ns.
    """

    version: str
    files: dict[str, list[int]]


def find(folder: Path) -> OwnPython | None:
    """The Python of the environment in `folder`; None when it does not run, or has another version than at set-up."""
    known = _recorded(folder)
    if known and known.files == _states(folder, known.files):
        return known
    version, files = _query(folder / "bin" / "python")
    if not files:
        return None
    found = OwnPython(version=known.version if known else version, files=_states(folder, files))
    with contextlib.suppress(OSError):  # without the record each call starts a process
        partial = folder / f"{RECORD}.{os.getpid()}"
        partial.write_text(json.dumps(asdict(found)), encoding="utf-8")
        partial.replace(folder / RECORD)
    return found


def base_python() -> str:
    """The interpreter that the running environment was made with; it remains when an environment is cleared."""
    program = Path(sys.base_prefix) / "bin" / f"python{sys.version_info[0]}.{sys.version_info[1]}"
    return str(program) if program.is_file() else sys._base_executable  # type: ignore[attr-defined]


def _recorded(folder: Path) -> OwnPython | None:
    try:
        return OwnPython(**json.loads((folder / RECORD).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _states(folder: Path, paths: Iterable[str]) -> dict[str, list[int]]:
    states: dict[str, list[int]] = {}
    for path in paths:
        try:
            found = (folder / path).stat()
            states[path] = [found.st_size, found.st_mtime_ns]
        except OSError:
            states[path] = []
    return states


def _query(python: Path) -> tuple[str, list[str]]:
    """`sys.version` and the files; no files when the interpreter does not run."""
    try:
        done = subprocess.run([python, "-I", "-c", _FACTS], capture_output=True, text=True, timeout=60, check=True)
        version, files = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.SubprocessError):
        return "", []
    return version, files

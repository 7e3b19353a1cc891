"""Faults of Triton's HTTP server by release, as data: TRITON_GUARD=auto starts the guard for them.

Sources are pull requests of triton-inference-server (server, common, python_backend), read in the release branches
r24.10 to r26.08, and runs of 24.10 and 26.08.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass

from .body_limits import Rules
from .settings import Settings


@dataclass(frozen=True)
class Fault:
    """Releases are "YY.MM"; `first` empty: the oldest ones have it; `last` empty: no release without it is known.

    `is_harmful` False: only the status of an answer is wrong; no other client loses anything.
    """

    name: str
    first: str
    last: str
    source: str
    is_harmful: bool = True

    def is_in(self, release: str) -> bool:
        """True for a release that has it, and for an unknown one ("")."""
        return not release or (self.first <= release and (not self.last or release <= self.last))


CLASSIFICATION = Fault("classification of a BYTES output ends the server", "", "25.06", "server #8267; run on 24.10")
FAULTS = (
    Fault(
        "an Inference-Header-Content-Length above 2147483647 ends the server",
        "26.06", "26.08", "server #8794, mended by #8925; run on 26.08",
    ),
    Fault("an Accept-Encoding weight such as q=1e999 ends the server", "", "26.01", "server #8619; run on 24.10"),
    CLASSIFICATION,
    Fault("a shape larger than its JSON data ends the server", "", "25.05", "server #8182, #8174; run on 24.10"),
    Fault("JSON nested 40,000 levels deep ends the server", "", "26.04", "common, iterative parser; run on 24.10"),
    Fault("HTTP bodies have no size limit", "", "25.05", "server #8174 (--http-max-input-size)"),
    Fault("decompressed HTTP bodies have no size limit", "", "25.12", "server #8570"),
    Fault("each chunk of a body takes memory, without a limit", "", "26.04", "server #8770"),
    Fault("the time for request parameters is quadratic in their number", "", "", "run on 24.10 and 26.08"),
    Fault("unreadable JSON gets 500 instead of 400", "", "", "server, HttpCodeFromError", is_harmful=False),
    Fault("full shared memory gets 500 instead of 503", "", "", "python_backend, shm_manager", is_harmful=False),
)  # fmt: skip


def harmful(release: str) -> list[Fault]:
    """The faults of a release for which TRITON_GUARD=auto starts the guard; all of them for an unknown one ("")."""
    return [fault for fault in FAULTS if fault.is_harmful and fault.is_in(release)]


def needs_guard(wish: str, release: str) -> bool:
    """Whether a guard is started; `wish` is one of settings.GUARD."""
    return wish == "always" or (wish == "auto" and bool(harmful(release)))


def rules(wanted: Settings, release: str) -> Rules:
    """Those of the guard before a release. Shared memory is open to inputs where a key opens its APIs."""
    return Rules(wanted.max_input_bytes, not CLASSIFICATION.is_in(release), bool(wanted.admin_key))


def release_of(environment: Mapping[str, str], triton: str = "tritonserver") -> str:
    """The release as "YY.MM", or "" where nothing says it.

    NVIDIA's images say it in NVIDIA_TRITON_SERVER_VERSION, and Triton's own version in TRITON_SERVER_VERSION and in
    the file TRITON_VERSION two folders above the program `triton`; the slim image has only the file.
    """
    named = environment.get("NVIDIA_TRITON_SERVER_VERSION", "")
    if re.fullmatch(r"[0-9]{2}\.[0-9]{2}", named):
        return named
    program = shutil.which(triton, path=environment.get("PATH")) or triton
    folder = os.path.dirname(os.path.dirname(os.path.realpath(program)))  # noqa: PTH120 - see canary.py
    return release_named(environment.get("TRITON_SERVER_VERSION", "")) or release_named(
        _text(os.path.join(folder, "TRITON_VERSION"))  # noqa: PTH118
    )


def release_named(version: str) -> str:
    """The release of a version of Triton: "24.10" of "2.51.0"; "" for what is no version of 22.12 or later.

    One minor version a month since 2.29 in 22.12, but for 2.59: 2.59.0 is 25.06 and 2.59.1 is 25.07.
    """
    found = re.match(r"2\.([0-9]{1,4})\.([0-9]+)", version)
    if not found or int(found[1]) < 29:
        return ""
    minor, patch = int(found[1]), int(found[2])
    month = 22 * 12 + 11 + minor - 29 + (minor >= 60 or (minor == 59 and patch > 0))
    return f"{month // 12}.{month % 12 + 1:02}"


def _text(file: str) -> str:
    try:
        with open(file, encoding="ascii", errors="replace") as lines:  # noqa: PTH123 - see canary.py
            return lines.read(100).strip()
    except OSError:
        return ""

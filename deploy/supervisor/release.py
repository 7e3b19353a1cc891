"""The release of the Triton that runs, and the guard's rules that depend on it."""

import os
import re
import shutil
from collections.abc import Mapping

from .body_limits import Rules
from .settings import Settings

# Up to this release a classification of a BYTES output ends the server (server #8267; run on 24.10).
LAST_WITH_CLASSIFICATION_FAULT = "25.06"


def rules(settings: Settings, release: str) -> Rules:
    """The guard's rules for a release ("YY.MM"; "" if unknown).

    Inputs may be in shared memory if an admin key opens its APIs.
    """
    return Rules(settings.max_input_bytes, release > LAST_WITH_CLASSIFICATION_FAULT, bool(settings.admin_key))


def release_of(environment: Mapping[str, str], triton: str = "tritonserver") -> str:
    """The release as "YY.MM", or "" if unknown.

    NVIDIA's images set NVIDIA_TRITON_SERVER_VERSION to the release and TRITON_SERVER_VERSION to Triton's own version.
    The slim image has only the file TRITON_VERSION, two folders above the program `triton`.
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
    """The release of a Triton version: "24.10" for "2.51.0"; "" for an invalid version or one before 2.29 (22.12).

    Every month has one minor version, except for 2.59: 2.59.0 is 25.06 and 2.59.1 is 25.07.
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

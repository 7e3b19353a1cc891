"""What is to be started: tritonserver with the user's flags and settings."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from . import arguments, doors, flags, settings
from .errors import Fault, SettingError
from .guard import Place
from .log import say

HELP_SECONDS = 60


@dataclass(frozen=True)
class Launch:
    """`program` is a path; `known` has the names of its flags, `given` those of the user."""

    program: str
    known: frozenset[str]
    given: Sequence[arguments.Flag]
    settings: settings.Settings

    @property
    def repositories(self) -> list[str]:
        """Of models."""
        return arguments.repositories(self.given)

    def command(self, place: Place | None, *, gated: bool) -> list[str]:
        """To start it, with a guard at `place` and behind a gate, or not.

        SettingError for a flag that contradicts what the image sets, or for a setting that the release has no flag for.
        """
        limits = self.settings
        ours = [
            *flags.hardening(self.known, admin_key=limits.admin_key, max_input_bytes=limits.max_input_bytes),
            *doors.flags(self.known, limits, place, gated=gated),
        ]
        return [self.program, *arguments.joined(self.given, ours)]


def read(program: str, words: Sequence[str], environment: Mapping[str, str]) -> Launch:
    """From the words after tritonserver. Raises SettingError, or Fault for a program that is no tritonserver."""
    known = _known_flags(program)
    given = arguments.parse(words, known)
    said = arguments.as_settings(given, environment)
    for note in arguments.notes(given):  # first, so that a fault in a setting that is a flag's can be understood
        say(note)
    return Launch(program, known, given, settings.read(said))


def _known_flags(program: str) -> frozenset[str]:
    try:
        shown = subprocess.run([program, "--help"], capture_output=True, text=True, check=False, timeout=HELP_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Fault(f"{program} cannot be started ({error})") from error
    known = flags.known(shown.stdout + shown.stderr)
    if not known:
        said = (shown.stderr or shown.stdout).strip().splitlines()[-1:] or [f"exit code {shown.returncode}"]
        raise Fault(f"{program} --help names no flags: {said[0]}")
    for gap in flags.missing(known):
        say(gap)
    return known


def check_models(repositories: Sequence[str], golden: str) -> None:
    """SettingError when a model of the golden requests is in none of these folders.

    Repositories behind a URL are not checked here, and a golden.json that cannot be read is reported by the canary.
    """
    if any("://" in each for each in repositories):
        return
    try:
        with open(golden, encoding="utf-8") as file:  # noqa: PTH123 - pathlib costs 10 ms of every start
            models = dict.fromkeys(row["model"] for row in json.load(file)["rows"])
    except (OSError, ValueError, KeyError, TypeError):
        return
    for model in models:
        if not any(os.path.isdir(os.path.join(each, model)) for each in repositories):  # noqa: PTH112, PTH118
            raise SettingError(
                f"the model repository {' '.join(repositories)} has no model {model!r}, which the golden requests of "
                "this image ask; mount the repository the image was built from, or leave out --model-repository to "
                f"serve {arguments.REPOSITORY}"
            )

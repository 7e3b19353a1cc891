"""Builds the command that starts tritonserver, from the user's flags and settings."""

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from . import arguments, endpoints, flags, request_log, settings, tracing
from .errors import Fault, SettingError
from .guard import Place
from .log import log

HELP_SECONDS = 60


@dataclass(frozen=True)
class Launch:
    """`program` is a path, `known` the names of its flags, `user_flags` the user's flags."""

    program: str
    known: frozenset[str]
    user_flags: Sequence[arguments.Flag]
    settings: settings.Settings

    def serving(self, repositories: Sequence[str]) -> "Launch":
        """The same with these model repositories."""
        kept = [flag for flag in self.user_flags if flag.name not in arguments.REPOSITORY_NAMES]
        return replace(self, user_flags=[*(arguments.Flag("model-repository", each) for each in repositories), *kept])

    @property
    def repositories(self) -> list[str]:
        """The model repositories."""
        return arguments.repositories(self.user_flags)

    def command(self, place: Place | None, *, gated: bool) -> list[str]:
        """The command, with a guard at `place` (None: without) and, if `gated`, behind a gate.

        Raises SettingError for a flag that contradicts the image's, or a setting that the release has no flag for.
        """
        limits, traces = self.settings, self.settings.tracing
        if traces and "trace-config" not in self.known:
            raise SettingError(f"this release of Triton has no flag --trace-config, which {tracing.ENDPOINT} needs")
        image_flags = [
            *flags.hardening(
                self.known,
                admin_key=limits.admin_key,
                max_input_bytes=limits.max_input_bytes,
                is_traced=bool(traces),
            ),
            *(traces.flags if traces else []),
            *(flags.measuring(self.known) if limits.model_metrics else []),
            *endpoints.flags(self.known, limits, place, gated=gated),
        ]
        if place and limits.has_json_log:
            # A pattern of the user replaces these, and then the log has no times of models.
            forwarded = request_log.FORWARD_FLAGS.items()
            image_flags += [f"--{name}={pattern}" for name, pattern in forwarded if name in self.known]
        return [self.program, *arguments.merge(self.user_flags, image_flags)]


def read(program: str, words: Sequence[str], environment: Mapping[str, str]) -> Launch:
    """Reads the arguments after tritonserver. Raises SettingError, or Fault if `program` is not tritonserver."""
    known = _known_flags(program)
    user_flags = arguments.parse(words, known)
    variables = arguments.as_settings(user_flags, environment)
    for note in arguments.notes(user_flags):  # before a setting that comes from a flag is refused
        log(note)
    return Launch(program, known, user_flags, settings.read(variables))


def _known_flags(program: str) -> frozenset[str]:
    try:
        shown = subprocess.run([program, "--help"], capture_output=True, text=True, check=False, timeout=HELP_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Fault(f"{program} cannot be started ({error})") from error
    known = flags.known(shown.stdout + shown.stderr)
    if not known:
        reason = (shown.stderr or shown.stdout).strip().splitlines()[-1:] or [f"exit code {shown.returncode}"]
        raise Fault(f"{program} --help lists no flags: {reason[0]}")
    return known


def check_models(repositories: Sequence[str], golden: str) -> None:
    """Raises SettingError if a model of the golden requests is in none of these folders.

    Repositories behind a URL are not checked here. The canary reports an unreadable golden.json.
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
                "this image need; mount the repository the image was built from, or omit --model-repository to serve "
                f"{arguments.REPOSITORY}"
            )

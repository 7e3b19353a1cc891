"""The values of a command line with its --config, of one build or of a list; and the command line of values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from utils.host.errors import UsageError
from utils.host.numbers import whole_number
from utils.options.command_line import POSITIONALS, make_parser, names_of
from utils.options.config_file import Listed, read_config
from utils.options.values import DEFAULTS

MOST_JOBS = 256


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """By the names of the options. `values`: those of one build; with `builds`, those of the command line."""

    values: dict[str, Any]
    builds: tuple[Listed, ...] = ()
    jobs: int = 1


def read_arguments(argv: Sequence[str]) -> Arguments:
    """The values of `argv` and of its --config, which gives way to `argv`; UsageError (exit 2)."""
    parser = make_parser()
    parsed = vars(parser.parse_intermixed_args(argv))
    values = {name: value for name, value in parsed.items() if value not in (None, False)}
    file, jobs = values.pop("config", None), values.pop("jobs", None)
    number = whole_number("--jobs", jobs or "1", most=MOST_JOBS)
    if file is None:
        if jobs:
            raise UsageError(f"--jobs {jobs} is for a list of builds; add --config FILE.yaml with `builds:`")
        return Arguments(values=values)
    config = read_config(Path(file), names_of(parser))
    if not config.builds:
        if jobs and not config.unread:
            raise UsageError(f"--jobs {jobs} is for a list of builds, and --config {file!r} has no `builds:`")
        return Arguments(values={**config.values, **values})
    return Arguments(values=values, builds=_overridden(config.builds, values), jobs=number)


def _overridden(builds: Sequence[Listed], values: Mapping[str, Any]) -> tuple[Listed, ...]:
    """The builds with the options of the command line; UsageError for what only one build can have."""
    for name in POSITIONALS:
        if name in values:
            raise UsageError(
                f"{name.upper()} {values[name]!r} is on the command line, and --config has a list of builds; "
                "write it into the file"
            )
    for build in builds:
        if "json" in build.values:
            raise UsageError(f"{build.place}: json is for the whole list; leave it out and add --json to the command")
    own = {name: value for name, value in values.items() if name != "json"}
    return tuple(Listed(values={**build.values, **own}, place=build.place) for build in builds)


def as_arguments(values: Mapping[str, Any]) -> list[str]:
    """The command line with these values, as read_arguments gives them."""
    positional = [values.get(name, DEFAULTS.get(name, "")) for name in POSITIONALS]
    options = []
    for name, value in values.items():
        option = f"--{name.replace('_', '-')}"
        if name not in POSITIONALS:
            options += (
                [option]
                if value is True
                else [f"{option}={each}" for each in (value if isinstance(value, list) else [value])]
            )
    # A path may begin with a dash, which would make it an option.
    return [*(f"./{each}" if each.startswith("-") and each != "-" else each for each in positional), *options]

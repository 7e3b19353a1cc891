"""Why `score` ends before its end, each with an exit code."""


class ScoreError(Exception):
    """Base. Its message is one sentence for stderr."""

    exit_code = 1


class OptionError(ScoreError):
    """The command line cannot be right, or does not fit files of an earlier run."""

    exit_code = 2


class InputError(ScoreError):
    """The input cannot be read, or has no such column."""

    exit_code = 3


class ServingError(ScoreError):
    """The server cannot be reached, refuses the client, or has no such model."""

    exit_code = 4


class RowError(ScoreError):
    """A row has no answer, with --on-error stop."""

    exit_code = 5

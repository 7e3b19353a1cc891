"""Why the supervisor exits by itself."""


class SettingError(ValueError):
    """A setting or a flag is wrong (exit code 2). The text is one sentence."""


class Fault(Exception):  # noqa: N818 - a word of the documentation
    """The server cannot continue (exit code 1). The text says why."""

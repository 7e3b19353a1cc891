"""Why the supervisor ends by itself."""


class SettingError(ValueError):
    """A setting or a flag is wrong (exit code 2); its text is one sentence."""


class Fault(Exception):  # noqa: N818 - a word of the documentation
    """The server cannot go on (exit code 1); its text says why."""

"""The error classes; each has the exit code of the stage that failed (the table is in docs/usage.md)."""


class FactoryError(Exception):
    """A foreseeable fault. Its text is one sentence: what happened, the value, what is allowed, what to do next."""

    exit_code = 1


class UsageError(FactoryError):
    """An argument, option or config file is wrong."""

    exit_code = 2


class SourceError(FactoryError):
    """A model, tokenizer or label map is missing, unreachable or malformed."""

    exit_code = 3


class ExportError(FactoryError):
    """The model cannot be converted to ONNX for the target release."""

    exit_code = 4


class ParityError(FactoryError):
    """The converted model's answers differ from the reference model's."""

    exit_code = 5


class RenderError(FactoryError):
    """A template, a rendered config or the assembled model repository is wrong."""

    exit_code = 6


class ImageError(FactoryError):
    """The image could not be built."""

    exit_code = 7


class BootProofError(FactoryError):
    """The built server does not start, or its golden answers differ from the reference model's."""

    exit_code = 8


class ReleaseError(FactoryError):
    """The proven image could not be pushed, described or signed, or what was pushed is not what was signed."""

    exit_code = 9


class ListError(FactoryError):
    """Builds of a list failed; the exit code is that of the first of them."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class Terminated(BaseException):
    """SIGTERM arrived. A BaseException, so that no `except Exception` catches it."""

    exit_code = 143

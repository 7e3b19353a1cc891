"""One error tree; every error carries the exit code of the stage that failed (the table is in the README)."""


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
    """What was converted does not answer as the original does."""

    exit_code = 5


class RenderError(FactoryError):
    """A template, a rendered config or the assembled model repository is wrong."""

    exit_code = 6


class ImageError(FactoryError):
    """The image could not be built."""

    exit_code = 7


class BootProofError(FactoryError):
    """The built server does not start, or does not answer the golden texts as PyTorch does."""

    exit_code = 8


class Terminated(BaseException):
    """SIGTERM arrived. Derived from BaseException so that no `except Exception` on the way up swallows it."""

    exit_code = 143

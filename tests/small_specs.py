"""The spec of a build that the tests of its plan share, and its settings."""

from utils.convert.settings import resolve_settings
from utils.convert.types import Settings
from utils.options.build_spec import BuildSpec, parse_arguments
from utils.sources.fetch import Metadata

LABELS = ('say "hi"', "two\nlines", "помощь")


def spec_of(*options: str) -> BuildSpec:
    """A text classification with these options."""
    return parse_arguments(["./some/model", "hf:user/tok@v1", "-", "topics", "v1", "8", *options])


def settings_of(spec: BuildSpec, known: Metadata) -> Settings:
    """As the task's row resolves them."""
    return resolve_settings(spec.request, spec.source.task, known)  # type: ignore[arg-type]

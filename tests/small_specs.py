"""Command lines, specs of builds and their settings, for the tests of options and of plans."""

from collections.abc import Sequence

import pytest

from utils.convert.origins.transformers_folder import resolve_settings
from utils.convert.types import Settings
from utils.host.errors import UsageError
from utils.options.build_spec import BuildSpec, parse_arguments
from utils.sources.fetch import Metadata

THREE = ["./model", "hf:user/tok@v1", "labels.json"]
LABELS = ('say "hi"', "two\nlines", "помощь")


def spec_of(*options: str) -> BuildSpec:
    """A text classification with these options."""
    return parse_arguments(["./some/model", "hf:user/tok@v1", "-", "topics", "v1", "8", *options])


def refusal(argv: Sequence[str]) -> str:
    """The sentence of the usage error of `argv`."""
    with pytest.raises(UsageError) as caught:
        parse_arguments(argv)
    assert caught.value.exit_code == 2
    return str(caught.value)


def settings_of(spec: BuildSpec, known: Metadata) -> Settings:
    """As the task's row resolves them."""
    return resolve_settings(spec.request, spec.source.task, known)  # type: ignore[arg-type]

"""The command that continues with a kept tree."""

import shlex

import pytest

from utils import image
from utils.factory.prove_and_publish import command_to_continue
from utils.options.build_spec import parse_arguments


@pytest.mark.parametrize("arguments", [[], ["--no-measure"], ["--no-cache", "--no-verify"]])
def test_it_has_the_options_of_the_build(arguments, tmp_path):
    spec = parse_arguments(["model", "model", "-", *arguments])
    words = shlex.split(command_to_continue(spec, tmp_path / "a tree"))
    options = image.parse_arguments(words[words.index("utils.image") + 1 :])
    assert options.tree == tmp_path / "a tree"
    expected = ("--no-measure" not in arguments, "--no-verify" not in arguments, "--no-cache" in arguments)
    assert (options.measure, options.verify, options.no_cache) == expected

"""A command line and its list of builds, and the command line of each build."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tests.small_specs import THREE
from utils.host.errors import UsageError
from utils.options.arguments import as_arguments, read_arguments
from utils.options.command_line import POSITIONALS, make_parser, names_of

LIST = "defaults: {tokenizer: t, id2label: '-'}\nbuilds:\n- {model: a, tag: v1}\n- {model: b, no_image: true}\n"
NAMES = names_of(make_parser())
TEXTS = st.text(st.characters(min_codepoint=32, exclude_categories=("Cs",)), min_size=1, max_size=20)


def refusal(*argv):
    with pytest.raises(UsageError) as caught:
        read_arguments(argv)
    return str(caught.value)


def test_options_of_the_command_line_override_each_build(yaml_file):
    arguments = read_arguments(["--config", yaml_file(LIST), "--top-k=2", "--no-cache", "--json", "--jobs", "2"])
    shared = {"tokenizer": "t", "id2label": "-", "top_k": "2", "no_cache": True}
    assert [each.values for each in arguments.builds] == [
        {**shared, "model": "a", "tag": "v1"},
        {**shared, "model": "b", "no_image": True},
    ]
    assert arguments.jobs == 2
    assert arguments.values["json"]


def test_positional_arguments_do_not_go_with_a_list(yaml_file):
    assert refusal("./model", "--config", yaml_file(LIST)).startswith("MODEL './model' is on the command line")


def test_jobs_are_for_a_list(yaml_file):
    assert "--jobs 2 is for a list of builds" in refusal(*THREE, "--jobs=2")
    assert "--jobs 2 is for a list of builds" in refusal("--config", yaml_file("model: m\n"), "--jobs=2")
    assert "--jobs is '0'" in refusal("--config", yaml_file(LIST), "--jobs=0")


def test_json_is_of_the_whole_list(yaml_file):
    message = refusal("--config", yaml_file(f"{LIST}- model: c\n  json: true\n"))
    assert "line 5, builds[2]: json is for the whole list" in message


@given(
    values=st.fixed_dictionaries(
        {name: TEXTS.filter(lambda text: text != "--") for name in POSITIONALS},
        optional={
            name: st.just(True)
            if name in NAMES.flags
            else st.lists(TEXTS, min_size=1)
            if name in NAMES.lists
            else TEXTS
            for name in NAMES.known - set(POSITIONALS)
        },
    )
)
def test_the_command_line_of_values_gives_these_values(values):
    read = read_arguments(as_arguments(values)).values
    paths = {name: f"./{values[name]}" for name in POSITIONALS if values[name][0] == "-" and values[name] != "-"}
    assert read == {**values, **paths}


def test_missing_positional_arguments_get_their_defaults():
    values = {"model": "m", "tokenizer": "t", "id2label": "-", "max_batch_size": "8"}
    assert as_arguments(values) == ["m", "t", "-", "ensemble_model", "latest", "8"]


def test_a_file_says_the_same_as_its_command_line(yaml_file):
    values = read_arguments([*THREE, "topics", "--add-model=a=1", "--add-model=b=2", "--no-image"]).values
    assert read_arguments(["--config", yaml_file(yaml.safe_dump(values))]).values == values

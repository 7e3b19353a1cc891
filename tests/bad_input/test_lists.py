"""A mistake in one build of a list stops all of them before the first slow step."""

import pytest

HEAD = "defaults: {{tokenizer: '{model}', id2label: '-'}}\nbuilds:\n"
SOUND = "".join(f"- {{{{model: '{{model}}', model_name: sound-{number}}}}}\n" for number in range(4))
FIFTH = {
    "an unknown name": ("- {{modle: m}}\n", 2, ["unknown names builds[4].modle (line 7)"]),
    "no model": ("- {{tag: v1}}\n", 2, ["line 7, builds[4]: MODEL is missing"]),
    "a bad value": ("- {{model: '{model}', top_k: 0}}\n", 2, ["line 7, builds[4]: --top-k is '0'"]),
    "a flag that is a word": ("- {{model: '{model}', json: sure}}\n", 2, ["line 7, builds[4].json", "true or false"]),
    "no such model": ("- {{model: ./nowhere}}\n", 3, ["line 7, builds[4]: MODEL './nowhere' does not exist"]),
    "no such labels": (
        "- {{model: '{model}', id2label: ./no.json}}\n",
        3,
        ["line 7, builds[4]: ID2LABEL './no.json' does not exist"],
    ),
    "a name and tag twice": (
        "- {{model: '{model}', model_name: sound-1}}\n",
        2,
        ["line 7, builds[4]: the name and tag sound-1:latest is that of", "line 4, builds[1]", "change one"],
    ),
    "an image twice": (
        "- {{model: '{model}', image: tritoned_sound-2}}\n",
        2,
        ["line 7, builds[4]: the image tritoned_sound-2:latest is that of", "line 5, builds[2]"],
    ),
    "its own JSON": ("- {{model: '{model}', json: true}}\n", 2, ["line 7, builds[4]: json is for the whole list"]),
}


@pytest.fixture
def builds(damaged):
    """Writes a list of four sound builds and this fifth one."""

    def write(fifth):
        file = damaged.folder / "builds.yaml"
        file.write_text(f"{HEAD}{SOUND}{fifth}".format(model=damaged.model), encoding="utf-8")
        return ["--config", file]

    return write


@pytest.mark.parametrize("case", FIFTH)
def test_a_mistake_in_the_fifth_build(case, builds, refused):
    fifth, code, words = FIFTH[case]
    refused(builds(fifth), code, words)


def test_the_script_reports_it_without_torch(builds, refused_by_the_script):
    refused_by_the_script(builds("- {{model: ./nowhere}}\n"), 3, ["builds[4]: MODEL './nowhere'"])


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["./model"], ["MODEL './model' is on the command line", "list of builds"]),
        (["--jobs", "0"], ["--jobs is '0'"]),
        (["--jobs", "many"], ["--jobs is 'many'"]),
        (["--layout", "round"], ["line 3, builds[0]: --layout 'round'"]),
    ],
)
def test_a_command_line_that_does_not_go_with_a_list(argv, words, builds, refused):
    refused([*argv, *builds("")], 2, words)

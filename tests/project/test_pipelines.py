"""action.yml and examples/pipelines: their schemas, their scripts, and the action's script run as GitHub does.

tests/image/release/test_pipelines.py runs the whole script of GitLab. What the services themselves do is not run:
checkout, expressions in ${{ }}, and the upload of artifacts.
"""

import json
import os
import re
import shutil
import subprocess
import uuid

import pytest

from tests import tiny_models
from tests.project.pipelines import FILES, SCRIPTS, load
from tests.project.schemas import follow_schema
from tests.unit.test_pipeline_outputs import github
from utils import ROOT
from utils.host.build_tree import BUILD
from utils.options.values import DEFAULTS

INPUTS = load(FILES["vendor.github-actions"])["inputs"]


@pytest.mark.parametrize("schema", FILES)
def test_a_file_follows_the_schema_of_its_service(schema):
    follow_schema("--builtin-schema", schema, FILES[schema])


@pytest.mark.parametrize("name", SCRIPTS)
def test_shellcheck_is_content(name):
    shellcheck = shutil.which("shellcheck")
    assert shellcheck, "shellcheck is not installed; .ci/run installs it"
    done = subprocess.run([shellcheck, "--shell=bash", "-"], input=SCRIPTS[name].text, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", SCRIPTS)
def test_values_reach_a_script_only_by_variables(name):
    """An expression in a script would run what is in it."""
    assert "${{" not in SCRIPTS[name].text


def test_foreign_actions_are_pinned_by_commit():
    used = re.findall(r"(?m)uses: (\S+)", FILES["vendor.github-workflows"].read_text(encoding="utf-8"))
    assert "./factory" in used
    assert all(re.fullmatch(r"\./factory|[\w/-]+@[0-9a-f]{40}", each) for each in used), used


def test_defaults_of_the_action_are_those_of_the_command():
    for name in ("model_name", "tag", "max_batch_size"):
        assert INPUTS[name.replace("_", "-")]["default"] == DEFAULTS[name]


@pytest.fixture
def name():
    """A model name of its own; its build is removed afterwards."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    yield name
    shutil.rmtree(BUILD / name, ignore_errors=True)


@pytest.fixture
def run_action(tmp_path):
    """`run_action(**inputs)`: the finished script, and its outputs."""

    def run(**inputs):
        values = {key: each["default"] for key, each in INPUTS.items()}
        values |= {key.replace("_", "-"): str(value) for key, value in inputs.items()}
        script = SCRIPTS["action.yml: build"]
        variables = {
            variable: values[re.fullmatch(r"\$\{\{ inputs\.([\w-]+) \}\}", expression)[1]]
            for variable, expression in script.variables.items()
        }
        output = tmp_path / "output"
        output.write_text("")
        variables |= {"GITHUB_ACTION_PATH": str(ROOT), "GITHUB_OUTPUT": str(output)}
        done = subprocess.run(
            [*script.command, script.text],
            cwd=tmp_path, env={**os.environ, **variables}, capture_output=True, text=True, timeout=300,
        )  # fmt: skip
        assert done.stdout == ""
        return done, github(output.read_text(encoding="utf-8"))

    return run


def test_the_action_builds_a_model(run_action, name, tmp_path):
    model = tiny_models.bert(tmp_path / "a model")
    options = "\n  --no-image\n--no-verify\n\n--input-name=text\n"
    done, outputs = run_action(model="./a model", model_name=name, options=options)
    assert done.returncode == 0, done.stderr
    assert outputs["model_repository"] == str(BUILD / name / "latest/model_repository")
    report = json.loads(outputs["report"])
    assert report["served_model"]["inputs"][0].startswith("text ")
    assert report["model"]["reference"] == "./a model"
    assert (outputs["image"], outputs["digest"]) == ("", "")
    assert model.is_dir()


def test_the_action_builds_a_list_and_fails_with_it(run_action, name, tmp_path):
    tiny_models.bert(tmp_path / "good")
    (tmp_path / "bad").mkdir()
    (tmp_path / "models.yaml").write_text(
        "defaults: {id2label: '-', no_image: true, no_verify: true}\n"
        f"builds:\n- {{model: good, tokenizer: good, model_name: {name}}}\n- {{model: bad, tokenizer: good}}\n"
    )
    done, outputs = run_action(config="models.yaml", options="--jobs=2")
    assert done.returncode == 3, done.stderr
    assert outputs["model_repository"] == str(BUILD / name / "latest/model_repository")
    report = json.loads(outputs["report"])
    assert (report["failed"], report["builds"][1]["exit_code"]) == (1, 3)


def test_an_input_is_no_command(run_action, tmp_path):
    """What a pipeline passes on, such as the name of a branch, may be anything."""
    done, outputs = run_action(model="$(touch a)", tag="v1; touch b", options="--image=`touch c`\n--no-image")
    assert (done.returncode, outputs) == (2, {})
    assert "'`touch c`'" in done.stderr
    assert not [path for path in tmp_path.iterdir() if path.name != "output"]
    done, outputs = run_action(model="--allow-pickle")
    assert (done.returncode, outputs) == (2, {})
    assert "'--allow-pickle' is an option" in done.stderr

"""The files that GitHub, editors and pre-commit read."""

import json
import re
import shutil
import subprocess

import pytest
import yaml

from utils import ROOT

FORMS = sorted(path for path in (ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml") if path.name != "config.yml")


@pytest.mark.parametrize("form", FORMS, ids=lambda path: path.name)
def test_an_issue_form_is_complete(form):
    """The keys that GitHub requires; docs.github.com, "Syntax for issue forms"."""
    content = yaml.safe_load(form.read_text())
    assert content["name"]
    assert content["description"]
    questions = [each for each in content["body"] if each["type"] != "markdown"]
    assert len({each["id"] for each in questions}) == len(questions) > 0
    assert all(each["attributes"]["label"] for each in questions)


def test_the_bug_form_requires_the_report_of_the_doctor():
    body = yaml.safe_load((ROOT / ".github/ISSUE_TEMPLATE/bug.yml").read_text())["body"]
    question = next(each for each in body if each.get("id") == "doctor")
    assert "./doctor.sh --json" in question["attributes"]["label"]
    assert question["validations"]["required"]
    done = subprocess.run([str(ROOT / "doctor.sh"), "--json"], capture_output=True, text=True, timeout=120)
    assert json.loads(done.stdout)["sections"]


def test_the_hooks_run(docs_python, tmp_path):
    """On a repository with one bad file: pre-commit runs the real ruff, which fails. mypy and shellcheck run in CI."""
    for name in (".pre-commit-config.yaml", "pyproject.toml", "requirements.txt", "requirements-dev.txt"):
        shutil.copyfile(ROOT / name, tmp_path / name)
    (tmp_path / "utils").symlink_to(ROOT / "utils")
    (tmp_path / "bad.py").write_text("import os\n")
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    subprocess.run(["git", "-C", str(tmp_path), "add", "bad.py"], check=True)
    command = [str(docs_python), "-m", "pre_commit", "run", "ruff-check", "--files", "bad.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "F401" in done.stdout


def test_every_check_of_the_test_script_is_a_hook():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    commands = re.findall(r"--environment dev (ruff \w+|mypy)", (ROOT / "run_tests.sh").read_text())
    assert {each["name"] for each in hooks} == {*commands, "shellcheck"}

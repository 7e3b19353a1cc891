"""The environments of benchmarks: their requirement files, their folders, and the scripts that name them."""

import re

import pytest

from benchmarks import environments
from utils import ROOT
from utils.host import environment
from utils.host.environments import ENVIRONMENTS


def test_the_requirement_files_exist_and_no_other_environment_has_these_names():
    assert all(path.is_file() for each in environments.ENVIRONMENTS.values() for path in each.requirements)
    assert not set(environments.ENVIRONMENTS) & set(ENVIRONMENTS)
    folders = {each.folder for each in ENVIRONMENTS.values()}
    assert [each.name for each in environments.ENVIRONMENTS.values() if each.folder in folders] == ["benchmark"]


def test_a_module_runs_in_the_named_environment(monkeypatch):
    calls = []
    monkeypatch.setattr(environment, "become", lambda *arguments: calls.append(arguments))
    environments.main(["locust", "some.module", "--flag"])
    assert calls == [(environments.LOCUST, "some.module", ["--flag"])]


@pytest.mark.parametrize("script", ["run.sh", "dynamic_batching/run.sh"])
def test_the_scripts_name_environments_that_exist(script):
    names = re.findall(r"benchmarks\.environments (\w+)", (ROOT / "benchmarks" / script).read_text())
    assert names and set(names) <= set(environments.ENVIRONMENTS)

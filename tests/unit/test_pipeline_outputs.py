import json

import pytest

from utils.host.errors import UsageError
from utils.pipeline_outputs import pipeline_outputs

ONE = {"image": "tritoned_a:v1", "digest": None, "model_repository": "/b/a b/model_repository", "labels": ["ü\n"]}
LIST = {
    "builds": [
        {"image": "r/a:v1", "digest": "r/a@sha256:1", "model_repository": "/b/a"},
        {"error": "the model is bad", "exit_code": 3},
        {"image": "r/c:v1", "digest": "r/c@sha256:2", "model_repository": "/b/c"},
    ],
    "failed": 1,
}


@pytest.fixture
def outputs(tmp_path):
    def of(report, form):
        file = tmp_path / "report.json"
        file.write_text(report if isinstance(report, str) else json.dumps(report) + "\n", encoding="utf-8")
        return pipeline_outputs([str(file), "--form", form])

    return of


def github(text):
    """As the runner reads $GITHUB_OUTPUT: `name<<delimiter`, lines, `delimiter`."""
    lines, found = iter(text.splitlines()), {}
    for line in lines:
        name, _, end = line.partition("<<")
        found[name] = "\n".join(iter(lambda end=end: (line := next(lines)) != end and line, False))
    return found


def test_outputs_of_one_build(outputs):
    found = github(outputs(ONE, "github"))
    assert (found["image"], found["digest"]) == ("tritoned_a:v1", "")
    assert found["model_repository"] == "/b/a b/model_repository"
    assert json.loads(found["report"]) == ONE
    assert outputs(ONE, "dotenv") == "IMAGE=tritoned_a:v1\nDIGEST="


def test_outputs_of_a_list_leave_failed_builds_out(outputs):
    found = github(outputs(LIST, "github"))
    assert found["digest"].splitlines() == ["r/a@sha256:1", "r/c@sha256:2"]
    assert json.loads(found["report"])["failed"] == 1
    assert outputs(LIST, "dotenv") == "IMAGE=r/a:v1 r/c:v1\nDIGEST=r/a@sha256:1 r/c@sha256:2"


def test_a_build_that_failed_has_no_outputs(outputs):
    assert outputs("", "github") == outputs("\n", "dotenv") == ""


@pytest.mark.parametrize("text", ["{", "[1]", "tritoned_a:v1"])
def test_what_is_no_report_is_refused(outputs, text):
    with pytest.raises(UsageError, match=r"report.json' is no report of make_triton_image.sh --json"):
        outputs(text, "github")

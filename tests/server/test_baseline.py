"""The baseline of a build with --eval-file: the answers of the built server, in baseline.json and in the alerts."""

import collections
import json
import re
import shlex
import shutil

import pytest

from tests import tiny_models
from tests.server.task_requests import ask, build
from tests.unit.release.promtool import check_rules
from utils import ROOT
from utils.host.build_tree import BUILD

NAME = "test-baseline"
PAGE = (ROOT / "docs/evaluation.md").read_text(encoding="utf-8")
COMMAND = shlex.split(re.search(r"(?m)^\./make_triton_image\.sh (.*) --no-image$", PAGE)[1])
TEXTS = [f"{word} {number}" for number in range(20) for word in ("a fox", "money back please", "помогите мне", "")]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny_models.bert(tmp_path_factory.mktemp("baseline") / "model", labels=("a", "b", "c"))


def test_it_holds_the_answers_of_the_server_to_these_texts(model, tmp_path, serve_repository):
    """For the baseline only the texts of the file count, for the evaluation its labels too."""
    file = tmp_path / "validation.tsv"
    file.write_text("".join(f"{text}\tc\n" for text in TEXTS), encoding="utf-8")
    try:
        own = {"./topics": model, "topics": NAME, "./validation.tsv": file}
        done = build(*(own.get(each, each) for each in COMMAND))
        assert done.returncode == 0, done.stderr
        tree = BUILD / NAME / "v1"
        found = json.loads((tree / "baseline.json").read_text(encoding="utf-8"))
        assert (found["source"], found["answers"]) == ("texts of --eval-file", len(TEXTS))
        assert "baseline of drift: 80 answers to texts of --eval-file" in done.stderr
        server = serve_repository(tree / "model_repository")
        answers = [ask("http", server.address, NAME, {"text_input": [[text]]}) for text in TEXTS]
        evaluated = json.loads((tree / "evaluation.json").read_text(encoding="utf-8"))
        right = sum(answer["predicts"][0, 0] == b"c" for answer in answers)
        assert evaluated["before"]["accuracy"] == evaluated["after"]["accuracy"] == right / len(TEXTS)
        counts = collections.Counter(answer["predicts"][0, 0].decode() for answer in answers)
        assert dict(found["shares"]["labels"]) == {
            label: pytest.approx(counts[label] / len(TEXTS), abs=1e-5) for label in ("a", "b", "c", "__other__")
        }
        below = sum(answer["scores"][0, 0] <= 0.7 for answer in answers)
        assert dict(found["shares"]["scores"])["0.7"] == pytest.approx(below / len(TEXTS), abs=0.03)
        alerts = tree / "deploy/prometheus/alerts.yaml"
        check_rules(alerts)
        assert "severity: warning" in alerts.read_text(encoding="utf-8").partition("TritonLabelsDrift")[2]
    finally:
        shutil.rmtree(BUILD / NAME, ignore_errors=True)

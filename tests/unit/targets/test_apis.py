"""The table of --api."""

import pytest

from deploy.api.app import PROTOCOLS
from deploy.api.tei import KINDS, ROUTES
from tests.small_specs import THREE
from utils.host.errors import UsageError
from utils.options.build_spec import parse_arguments
from utils.proof.api import REQUESTS
from utils.targets.apis import APIS, apis_for, parse_apis, require_one_score
from utils.tasks import TASKS


def test_every_row_has_its_protocol_routes_and_proof():
    assert set(APIS) == set(PROTOCOLS)
    assert {(row.name, task) for row in APIS.values() for task in row.tasks} == set(REQUESTS)
    assert set(ROUTES) == set(KINDS) == set(APIS["tei"].tasks)
    assert {task for row in APIS.values() for task in row.tasks} <= set(TASKS)


def test_the_option_names_rows():
    spec = parse_arguments([THREE[0], THREE[1], "-", "--task", "feature-extraction", "--api", "tei, openai,tei"])
    assert spec.output.api == ("tei", "openai")
    assert parse_arguments(THREE).output.api == ()


@pytest.mark.parametrize(
    ("text", "task", "says"),
    [
        ("ollama", "feature-extraction", "'ollama' is not known; choose one of: openai, tei"),
        ("", "feature-extraction", "'' is not known"),
        ("openai", "text-ranking", "no route for --task text-ranking, only for feature-extraction; choose of: tei"),
        ("tei", "ocr", "leave --api out"),
    ],
)
def test_what_no_route_can_answer_is_refused(text, task, says):
    with pytest.raises(UsageError) as raised:
        parse_apis(text, task)
    assert says in str(raised.value)
    assert apis_for("ocr") == ()


def test_a_ranking_model_of_several_scores_is_refused():
    require_one_score(("tei",), "text-ranking", 1)
    require_one_score(("tei",), "text-classification", 3)
    with pytest.raises(UsageError, match="the model has 3"):
        require_one_score(("tei",), "text-ranking", 3)

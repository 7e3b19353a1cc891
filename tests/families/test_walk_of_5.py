"""Every type of transformers 5, built small by it: converted by the exporter dynamo and in parity, or refused by name.

UPDATE_MODELS=1 WALK_ALL=1 writes the exporter's table and the page. Every other run converts some of the types.
"""

import os

import pytest

from tests.families import document, found_by_dynamo
from tests.in_version_5 import printed_by
from utils.host.errors import ExportError
from utils.sources.supported_types import BY_DYNAMO, OF_TEXTS, ONLY_VERSION_5, REFUSED, SUPPORTED, require_supported
from utils.targets.exporters import DYNAMO

IS_LONG = os.environ.get("WALK_ALL") == "1"
# A model without a mask, an encoder that only transformers 5 has with another head, and two reasons to refuse.
SOME = (
    ("text-classification", "fnet"),
    ("text-classification", "longformer"),
    ("text-classification", "layoutlm"),
    ("fill-mask", "eurobert"),
)
# Largest difference of an output, relative to the largest output.
ALLOWED = 1e-4


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The types of each task, and what became of them; all conversions run in one process of transformers 5."""
    chosen = ["all"] if IS_LONG else [":".join(pair) for pair in SOME]
    every, found = found_by_dynamo.lines(printed_by("tests.families.by_dynamo", tmp_path_factory.mktemp("w"), *chosen))
    if IS_LONG and os.environ.get("UPDATE_MODELS") == "1":
        from transformers import CONFIG_MAPPING

        found_by_dynamo.write(found_by_dynamo.table(every, found, CONFIG_MAPPING))
        document.update_by_dynamo(rows(found))
    return every, found


def rows(found):
    """type -> line of the page, for every type that was converted or refused with a head of its own."""
    converted = {pair: each for pair, each in found.items() if not each.get("head")}
    return {name: document.row_by_dynamo(task, name, each) for (task, name), each in reversed(converted.items())}


def test_what_is_converted_is_in_parity(whole):
    converted = {pair: each for pair, each in whole[1].items() if "difference" in each}
    assert len(converted) >= (90 if IS_LONG else 2)
    assert {pair: each for pair, each in converted.items() if not each["difference"] < ALLOWED} == {}
    without_mask = {name for (_, name), each in converted.items() if "attention_mask" not in each["inputs"]}
    assert without_mask <= {"fnet"}, "it mixes tokens by a Fourier transform"


def test_the_table_has_what_the_walk_found(whole):
    """The sentence of a refusal, too."""
    tables = found_by_dynamo.tasks()
    for (task, name), each in whole[1].items():
        table = tables[task]
        if each.get("head") and name in tables["text-classification"]["refused"]:
            assert name in table["refused"], (task, name)
        elif "refused" in each:
            assert table["refused"][name] == each["refused"], (task, name, each)
        else:
            assert name in table["served"].split(), (task, name)
            if "rows" in each:
                assert (each["rows"] == 1) == (name in table["single"].split()), (task, name, each)


def test_every_type_of_transformers_5_has_an_outcome(whole):
    for task, table in found_by_dynamo.tasks().items():
        assert sorted([*table["served"].split(), *table["refused"]]) == sorted(whole[0][task])


def test_the_page_shows_the_walk(whole):
    shown = document.rows_by_dynamo()
    every = {name for names in whole[0].values() for name in names}
    assert {*shown} == every, "run UPDATE_MODELS=1 ./run_tests.sh --long tests/families"
    for name, row in rows(whole[1]).items():
        if row.split("|")[2] == shown[name].split("|")[2]:  # a type has the row of its first task
            assert document.without_figures(shown[name]) == document.without_figures(row)


@pytest.mark.parametrize("task", BY_DYNAMO)
def test_types_are_refused_by_name(task):
    for name in REFUSED[DYNAMO][task]:
        with pytest.raises(ExportError, match=rf"model type '{name}' cannot be served: .*; (use another|leave out)"):
            require_supported(name, task, DYNAMO)


def test_the_types_that_transformers_4_lacks():
    from transformers import CONFIG_MAPPING

    assert not {*ONLY_VERSION_5} & {*CONFIG_MAPPING}
    by_optimum = {name for types in {**SUPPORTED, **OF_TEXTS}.values() for name in types}
    only_dynamo = {name for types in BY_DYNAMO.values() for name in types} - by_optimum
    assert {name for name in only_dynamo if name not in CONFIG_MAPPING} <= {*ONLY_VERSION_5}

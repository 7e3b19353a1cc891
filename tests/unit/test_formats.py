import pytest

from utils.check_repository import MODEL_FILES
from utils.formats import DEFAULT_FORMAT, FORMATS
from utils.names import internal_model_names
from utils.render import COMPONENTS_ROOT, TEMPLATE


def test_the_default_is_one_of_them():
    assert DEFAULT_FORMAT in FORMATS


@pytest.mark.parametrize("name", FORMATS)
def test_each_has_a_component_whose_name_no_served_model_takes(name):
    row = FORMATS[name]
    assert row.name == name
    assert (COMPONENTS_ROOT / row.component / TEMPLATE).is_file()
    assert row.component in internal_model_names()


@pytest.mark.parametrize("row", FORMATS.values(), ids=FORMATS)
def test_the_check_of_a_repository_looks_for_the_same_file(row):
    template = (COMPONENTS_ROOT / row.component / TEMPLATE).read_text(encoding="utf-8")
    backends = [backend for backend in MODEL_FILES if f'backend: "{backend}"' in template]
    assert [MODEL_FILES[backend] for backend in backends] == [row.file]

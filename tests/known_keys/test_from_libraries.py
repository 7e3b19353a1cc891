"""The generated tables equal those of the installed libraries: keys of a new release fail here."""

import os

import pytest

from tests.known_keys.document import DOCUMENT, document
from tests.known_keys.from_libraries import adapter_keys, config_keys, config_keys_5, tokenizer_keys, written
from utils.sources.known_keys.tables import DATA

GENERATED = {
    "config_keys.json": config_keys,
    "config_keys_5.json": config_keys_5,
    "tokenizer_keys.json": tokenizer_keys,
    "adapter_keys.json": adapter_keys,
}


@pytest.mark.long("config_keys.json")
@pytest.mark.parametrize("name", GENERATED)
def test_the_table_equals_the_installed_libraries(name):
    text = written(GENERATED[name]())
    if os.environ.get("UPDATE_KEYS") == "1":
        (DATA / name).write_text(text, encoding="utf-8")
        return
    assert (DATA / name).read_text(encoding="utf-8") == text, (
        "the installed libraries read other keys: run UPDATE_KEYS=1 ./run_tests.sh tests/known_keys, look at the "
        "difference, and give a row in utils/sources/known_keys/data/rows.json to what needs one"
    )


def test_the_document_equals_the_tables():
    text = document()
    if os.environ.get("UPDATE_KEYS") == "1":
        DOCUMENT.write_text(text, encoding="utf-8")
        return
    assert DOCUMENT.read_text(encoding="utf-8") == text, "run UPDATE_KEYS=1 ./run_tests.sh tests/known_keys"

"""docs/config.schema.json is current, and the --config files of the docs and the examples follow it."""

import json
import os
import re

import pytest

from tests.project.schemas import follow_schema
from utils import ROOT
from utils.options.command_line import config_file_schema, make_parser

FILE = ROOT / "docs/config.schema.json"
PAGES = (ROOT / "docs/usage.md", ROOT / "docs/release.md")
BLOCKS = [
    block for page in PAGES for block in re.findall(r"(?ms)^```yaml\n(.*?)^```", page.read_text(encoding="utf-8"))
]


def test_the_published_schema_is_that_of_the_command_line():
    text = json.dumps(config_file_schema(make_parser()), indent=2) + "\n"
    if os.environ.get("UPDATE_SCHEMA") == "1":
        FILE.write_text(text, encoding="utf-8")
    assert FILE.read_text(encoding="utf-8") == text, "run UPDATE_SCHEMA=1 ./run_tests.sh tests/project"


def test_the_published_schema_is_a_schema():
    follow_schema("--check-metaschema", FILE)


@pytest.mark.parametrize("block", [block for block in BLOCKS if re.search(r"(?m)^(model|builds):", block)])
def test_the_files_of_the_docs_follow_the_schema(block, tmp_path):
    file = tmp_path / "build.yaml"
    file.write_text(block, encoding="utf-8")
    follow_schema("--schemafile", FILE, file)


def test_the_list_of_the_pipelines_follows_the_schema():
    follow_schema("--schemafile", FILE, ROOT / "examples/pipelines/models.yaml")

"""What the schema of --config files accepts, the parser accepts, and the other way round."""

import json

import pytest
from jsonschema import Draft7Validator
from ruamel.yaml import YAML

from utils.host.errors import UsageError
from utils.options.arguments import read_arguments
from utils.options.build_spec import build_spec
from utils.options.command_line import config_file_schema, make_parser, names_of
from utils.options.release_choice import InstalledGpu

SCHEMA = config_file_schema(make_parser())
THREE = "model: m\ntokenizer: t\nid2label: '-'\n"
BUILDS = "builds:\n- {model: m, tokenizer: t, id2label: '-'}\n- {model: n, tokenizer: t, id2label: '-', tag: v2}\n"
GOOD = [
    THREE,
    THREE + "model_name: topics\ntag: 1.10\nmax_batch_size: 8\n",
    THREE + "model-name: topics\nmax-batch_size: '8'\n",
    THREE + "tag: 2026-11-21\nimage: team/topics\n",
    THREE + "tag: no\n",
    THREE + "tag: true\n",
    THREE + "tag:\ntop_k: ~\nno_image: null\n",
    THREE + "release: 26.08\n",
    THREE + 'release: "24.10"\n',
    THREE + "release: 24.10\n",
    THREE + "no_image: true\ndry_run: false\nallow_pickle: True\n",
    THREE + "accept_unknown: one\n",
    THREE + "accept_unknown: [one, 2]\n",
    THREE + "activation: sigmoid\nprecision: int8\nmin_agreement: 0.98\nthreads: 2\nbatch_delay: 0\n",
    THREE + "json: true\n",
    BUILDS,
    "defaults: {tokenizer: t, id2label: '-', no-image: true}\n"
    + "builds:\n- model: m\n- {model: n, model_name: other}\n",
    "defaults:\n  model: m\n  tokenizer: t\n  id2label: '-'\nbuilds:\n- tag: v1\n- tag: v2\n",
    '{"model": "m", "tokenizer": "t", "id2label": "-"}',
]
BAD = [
    "",
    "model",
    "- model: m\n",
    THREE + "modle: m\n",
    THREE + "config: other.yaml\n",
    THREE + "debug: true\n",
    THREE + "jobs: 2\n",
    THREE + "help: true\n",
    THREE + "list_releases: true\n",
    THREE + "no_image: sure\n",
    THREE + "no_image: 1\n",
    THREE + "no_image: 'true'\n",
    THREE + "tag: [v1]\n",
    THREE + "tag: {a: b}\n",
    THREE + "add_model: [[a=b]]\n",
    THREE + "max_batch_size: 0\n",
    THREE + "max_batch_size: 1025\n",
    THREE + "max_batch_size: many\n",
    THREE + "max_batch_size: 4.5\n",
    THREE + "threads: -1\n",
    THREE + "task: translation\n",
    THREE + "device: tpu\n",
    THREE + "release: 24.02\n",
    THREE + "activation: gelu\n",
    THREE + "precision: int4\n",
    "builds: []\n",
    "builds: {model: m}\n",
    "builds:\n- m\n",
    BUILDS + "tag: v1\n",
    BUILDS + "defaults: v1\n",
    BUILDS + "- {model: o, tokenizer: t, id2label: '-', tag: v3, json: true}\n",
    BUILDS + "- {model: o, tokenizer: t}\n",
    BUILDS + "- {model: o, tokenizer: t, id2label: '-', modle: x}\n",
    "defaults: {tokenizer: t, modle: x}\n" + BUILDS,
    "defaults: {model: m}\nmodel: m\n",
]


def schema_accepts(text):
    return Draft7Validator(SCHEMA).is_valid(json.loads(json.dumps(YAML(typ="safe", pure=True).load(text), default=str)))


def parser_accepts(file):
    try:
        arguments = read_arguments(["--config", file])
        for values in [each.values for each in arguments.builds] or [arguments.values]:
            build_spec(values, InstalledGpu())
    except UsageError:
        return False
    return True


@pytest.mark.parametrize(("text", "accepted"), [*((text, True) for text in GOOD), *((text, False) for text in BAD)])
def test_schema_and_parser_accept_the_same_files(yaml_file, text, accepted):
    assert (schema_accepts(text), parser_accepts(yaml_file(text))) == (accepted, accepted)


def test_the_schema_is_valid():
    Draft7Validator.check_schema(SCHEMA)


def test_every_option_has_its_place_and_a_description():
    names = names_of(make_parser())
    values = {name: SCHEMA["definitions"][name] for name in SCHEMA["definitions"]["single_build"]["properties"]}
    assert set(values) == names.known
    assert all(value["description"] for value in values.values())
    assert {name for name, value in values.items() if value.get("type") == ["boolean", "null"]} == names.flags
    assert values["max_batch_size"]["default"] == "4"
    assert "text-ranking" in values["task"]["enum"]


def test_the_option_prints_it(capsys):
    with pytest.raises(SystemExit) as end:
        read_arguments(["--print-config-schema"])
    assert end.value.code == 0
    assert json.loads(capsys.readouterr().out) == SCHEMA

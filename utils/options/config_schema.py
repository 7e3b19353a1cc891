"""The JSON Schema of --config files, made from the command line and the tables of its values.

Draft 7: editors read YAML schemas with yaml-language-server, whose support of later drafts is partial.
"""

import argparse
import re
from collections.abc import Iterable
from typing import Any

from utils.options.config_file import BUILDS, REQUIRED, SHARED
from utils.options.values import CHOICES, DEFAULTS, RANGES
from utils.tasks import task_options

# A plain value is the text that is written there, whichever type YAML gives it: 1.10 is a tag, and `no` is a name.
# null stands for an empty value, which counts as not written.
SCALAR = ["string", "number", "boolean", "null"]
OF_THE_RUN = "json"


def is_flag(action: argparse.Action) -> bool:
    """Whether an option takes no value."""
    return action.nargs == 0


def is_list(action: argparse.Action) -> bool:
    """Whether an option may be repeated."""
    return isinstance(action, argparse._AppendAction)


def config_schema(actions: Iterable[argparse.Action]) -> dict[str, Any]:
    """The schema of a file with these arguments and options: one build, or a list with shared defaults."""
    values = {action.dest: _value(action) for action in actions}
    listed = {name: value for name, value in values.items() if name != OF_THE_RUN}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "--config file of make_triton_image.sh",
        "description": "Generated from the command line by --print-config-schema.",
        "if": {"type": "object", "required": [BUILDS]},
        "then": {"$ref": "#/definitions/list_of_builds"},
        "else": {"$ref": "#/definitions/single_build"},
        "definitions": {
            **values,
            "single_build": _mapping(values),
            "listed_build": _mapping(listed),
            "list_of_builds": {
                "type": "object",
                "additionalProperties": False,
                "required": [BUILDS],
                "properties": {
                    SHARED: {"$ref": "#/definitions/listed_build", "description": "values of all builds"},
                    BUILDS: {
                        "description": "one image each",
                        "type": "array",
                        "minItems": 1,
                        "items": {"$ref": "#/definitions/listed_build"},
                    },
                },
                "allOf": [_written_somewhere(name) for name in REQUIRED],
            },
        },
    }


def _mapping(values: dict[str, Any]) -> dict[str, Any]:
    """A build. Editors propose `properties`; the patterns also allow `-` in a name."""
    references = {name: {"$ref": f"#/definitions/{name}"} for name in values}
    dashed = {f"^{name.replace('_', '[-_]')}$": reference for name, reference in references.items() if "_" in name}
    return {"type": "object", "additionalProperties": False, "properties": references, "patternProperties": dashed}


def _written_somewhere(name: str) -> dict[str, Any]:
    """Each build has the value, or the shared values have it."""
    written = {"required": [name], "properties": {name: {"not": {"type": "null"}}}}
    each = {"properties": {BUILDS: {"items": written}}}
    return {"anyOf": [each, {"required": [SHARED], "properties": {SHARED: written}}]}


def _value(action: argparse.Action) -> dict[str, Any]:
    name = action.dest
    schema: dict[str, Any] = {"description": action.help}
    if name in DEFAULTS:
        schema["default"] = DEFAULTS[name]
    if is_flag(action):
        return {**schema, "default": False, "type": ["boolean", "null"]}
    if is_list(action):
        return {**schema, "type": [*SCALAR, "array"], "items": {"type": SCALAR}}
    if name in RANGES:
        return {**schema, **_whole_number(*RANGES[name])}
    option = task_options().get(name)
    choices = CHOICES.get(name) or (option.choices if option else ())
    return {**schema, "enum": _spellings(choices)} if choices else {**schema, "type": SCALAR}


def _whole_number(least: int, most: int) -> dict[str, Any]:
    """A number, or its digits in quotes."""
    number = {"type": "integer", "minimum": least, "maximum": most}
    return {"anyOf": [number, {"type": "string", "pattern": "^[0-9]+$"}, {"type": "null"}]}


def _spellings(choices: Iterable[str]) -> list[Any]:
    """The texts, and those that YAML reads as numbers (26.08) also as numbers; nothing for an empty value."""
    texts = list(choices)
    return [*texts, *(float(text) for text in texts if re.fullmatch(r"\d+\.\d+", text)), None]

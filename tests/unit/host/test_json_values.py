from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from utils.host import json_values


@dataclass(frozen=True, kw_only=True)
class Part:
    file: Path
    numbers: tuple[float, ...] = ()
    count: int | None = None
    on: bool = False
    rest: Mapping[str, Any] | None = None


def test_values_survive_and_paths_are_relative(tmp_path):
    part = Part(file=tmp_path / "a/b", numbers=(1, 2.5), count=3, on=True, rest={"x": [1, "two"]})
    converter = json_values.converter(tmp_path)
    written = converter.unstructure(part)
    assert written["file"] == "a/b"
    assert converter.structure(written, Part) == part


def test_bytes_are_base64():
    assert json_values.converter().unstructure({"x": b"\xff"}) == {"x": {"base64": "/w=="}}


@pytest.mark.parametrize(
    "wrong",
    [{"count": "3"}, {"count": True}, {"count": 1.0}, {"numbers": ["1"]}, {"on": 1}, {"file": 3}, {"unknown": 1}],
)
def test_other_types_and_unknown_fields_are_refused(wrong):
    with pytest.raises(json_values.invalid()) as caught:
        json_values.converter().structure({"file": "a", **wrong}, Part)
    assert next(iter(wrong)) in json_values.reason(caught.value)


def test_every_fault_is_named_with_its_place():
    with pytest.raises(json_values.invalid()) as caught:
        json_values.converter().structure({"numbers": [1, "x"]}, Part)
    reason = json_values.reason(caught.value)
    assert "$.numbers[1]" in reason
    assert "file" in reason

"""The limits of a body's JSON, for any size of the received parts."""

import json

import pytest

from deploy.supervisor import body_limits
from deploy.supervisor.http_messages import RefusedError


@pytest.mark.parametrize("size", [1, 2, 7, 10**6])
def test_depth_ignores_strings(size):
    text = json.dumps([{"a": ['[[\\"{{\\', "\\\\", '"[', [[]]]}, "\u0434[" * 50])
    for body, deepest in ((text, 5), ('"' + "[" * 3000 + '"', 0)):
        structure, seen = body_limits.Structure(), 0
        for start in range(0, len(body), size):
            structure.feed(body[start : start + size].encode())
            seen = max(seen, structure._depth)
        assert structure._depth == 0
        assert size > 1 or seen == deepest


def test_the_limit_of_depth_is_close():
    structure = body_limits.Structure()
    structure.feed(b"[" * 950 + b"[]" * 5000 + b"[" * 25)
    with pytest.raises(RefusedError):
        structure.feed(b"[" * 26)


@pytest.mark.parametrize("size", [1, 7, 10**6])
def test_the_limit_of_depth_is_exact_if_all_brackets_open_first(size):
    body, structure = b"[" * 1000 + b"]" * 1000, body_limits.Structure()
    for start in range(0, len(body), size):
        structure.feed(body[start : start + size])
    with pytest.raises(RefusedError):
        body_limits.Structure().feed(b"[" + body)


@pytest.mark.parametrize("size", [1, 2, 100])
@pytest.mark.parametrize(
    ("body", "json_bytes", "is_utf8"),
    [
        ('{"a": "помогите 👍"}'.encode(), None, True),
        (b'{"a": "\x80"}', None, False),
        (b'{"a": "\xed\xa0\x80"}', None, False),
        (b"{}\x80\xff", 2, True),
        (b'{"\xd0\xb4\xd0"}\xb4', 9, False),
    ],
)
def test_json_is_utf8(body, json_bytes, is_utf8, size):
    limits = body_limits.Limits(1000, json_bytes)
    for start in range(0, len(body), size):
        limits.feed(body[start : start + size])
    assert limits.is_utf8 == is_utf8

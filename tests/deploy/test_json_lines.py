"""Lines of the container's log as JSON."""

import json
import time

import pytest

from deploy.supervisor import json_lines


def converted(text):
    return json.loads(json_lines.converted(text))


def test_triton_s_lines_keep_their_time_level_and_place():
    found = converted(b'W0102 03:04:05.000678 42 http_server.cc:321] "Timeout 8: \\"x\\"\\nFound 1"')
    assert found == {
        "timestamp": f"{time.gmtime().tm_year - (time.gmtime().tm_mon < 1)}-01-02T03:04:05.000678Z",
        "level": "warning",
        "source": "triton",
        "message": 'Timeout 8: "x"\nFound 1',
        "process": 42,
        "at": "http_server.cc:321",
    }
    iso = converted(b"2026-11-27T04:00:00Z E 42 server.cc:1] as it is, of an older release")
    assert (iso["timestamp"], iso["level"]) == ("2026-11-27T04:00:00Z", "error")
    assert iso["message"] == "as it is, of an older release"


def test_a_line_of_december_may_be_read_in_january(monkeypatch):
    january = time.struct_time((2027, 1, 1, 0, 0, 1, 4, 1, 0))
    monkeypatch.setattr(time, "gmtime", lambda *_: january)
    assert converted(b"I1231 23:59:59.999999 1 a.cc:1] x")["timestamp"] == "2026-12-31T23:59:59.999999Z"


@pytest.mark.parametrize(
    ("text", "source", "message"),
    [
        (b"guard: KeyError('a')", "guard", "KeyError('a')"),
        (b"supervisor: text", "supervisor", "text"),
        ("| Model | дом |".encode(), "output", "| Model | дом |"),
        (b"printed \xff\x00\r", "output", "printed \\xff\x00"),
        (b'I0102 03:04:05 not triton\'s "form"', "output", 'I0102 03:04:05 not triton\'s "form"'),
    ],
)
def test_any_other_line_is_kept(text, source, message):
    found = converted(text)
    assert (found["source"], found["message"]) == (source, message)
    assert set(found) == {"timestamp", "level", "source", "message"}


def test_the_time_is_in_rfc_3339():
    assert json_lines.timestamp(1795752897.0567) == "2026-11-27T04:14:57.056Z"

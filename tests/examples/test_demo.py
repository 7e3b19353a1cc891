"""What ./demo.sh does at its end. Building and serving are stand-ins; tests/image/test_demo.py runs the real ones."""

import contextlib
import io
import sys
import webbrowser

import pytest

from examples import demo
from examples.topics.classify import TEXTS, Answer
from utils.triton.address import ServerAddress


@pytest.fixture
def done(monkeypatch):
    """What happened, in order: the options of the build, the opened page, the end of the server."""
    events = []

    @contextlib.contextmanager
    def served(*_):
        yield ServerAddress(http="127.0.0.1:1", grpc="127.0.0.1:2")
        events.append("server ended")

    monkeypatch.setattr(demo, "_run", lambda command: events.append(command[7:]) or "/tree/model_repository")
    monkeypatch.setattr(demo, "_served", served)
    monkeypatch.setattr(
        demo, "classify", lambda *_: [Answer(text=text, label=label, score=0.9) for text, label in TEXTS.items()]
    )
    monkeypatch.setattr(webbrowser, "open", events.append)
    return events


def test_without_an_option_it_ends_by_itself(done, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", None)
    text = demo.demo(["--no-image"])
    assert [line.split()[0] for line in text.splitlines()] == ["sport", "cooking", "weather"]
    assert done[-2:] == [["--top-k", "4", "--no-image", "--no-image"], "server ended"]
    assert "./serve.sh build/topics/demo --try and open http://127.0.0.1:8000/try/" in capsys.readouterr().err


@pytest.mark.parametrize("end", ["\n", ""], ids=["enter", "end of the input"])
def test_open_keeps_the_server_until_the_user_ends_it(done, monkeypatch, capsys, end):
    monkeypatch.setattr(sys, "stdin", io.StringIO(end))
    assert demo.demo(["--open", "--no-image", "--top-k", "2"]) == ""
    out, err = capsys.readouterr()
    assert [line.split()[0] for line in out.splitlines()] == ["sport", "cooking", "weather"]
    assert done[-3:] == [["--no-image", "--top-k", "2", "--no-image"], "http://127.0.0.1:1/try/", "server ended"]
    assert "no browser was found" in err


def test_control_c_is_an_end_as_well(done, monkeypatch):
    def interrupt():
        raise KeyboardInterrupt

    monkeypatch.setattr(sys.stdin, "readline", interrupt, raising=False)
    assert demo.demo(["--open", "--no-image"]) == ""
    assert done[-1] == "server ended"

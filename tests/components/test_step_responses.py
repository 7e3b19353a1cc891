import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

ARGS = {
    "model_config": '{"input": [{"name": "x", "data_type": "TYPE_FP32"}, {"name": "t", "data_type": "TYPE_STRING"}]}'
}


def answer(shared):
    def give(request):
        if request == "bad request":
            raise shared.step_responses.InvalidInputError("row 3 is wrong")
        if request == "bad result":
            raise shared.step_responses.InvalidResultError("not finite")
        return {"out": np.array([request])}

    return give


def test_one_response_per_request_in_order(shared):
    responses = shared.step_responses.respond(["first", "second"], answer(shared))
    assert [response.outputs["out"].tolist() for response in responses] == [["first"], ["second"]]
    assert [response.error for response in responses] == [None, None]


@pytest.mark.parametrize(
    ("request_", "code", "message"),
    [("bad request", "INVALID_ARG", "row 3 is wrong"), ("bad result", "INTERNAL", "not finite")],
)
def test_an_invalid_request_does_not_affect_its_neighbours(shared, request_, code, message):
    responses = shared.step_responses.respond(["first", request_, "third"], answer(shared))
    assert [response.outputs.get("out", np.array(None)).tolist() for response in responses] == [
        ["first"],
        None,
        ["third"],
    ]
    assert (responses[1].error.message(), responses[1].error.code()) == (message, code)


def test_an_unexpected_error_fails_its_own_request_only(shared, capsys):
    """One in Python, and a panic in Rust, which is no Exception; neither shows its stack to the client."""
    encoding = Tokenizer(WordLevel({"a": 0, "b": 1}, unk_token="a")).encode(["a", "b"], is_pretokenized=True)

    def give(request):
        if request == "panic":
            encoding.truncate(1, stride=5)
        return {"out": np.array([{"first": 1, "last": 2}[request]])}

    responses = shared.step_responses.respond(["first", "panic", "no such key", "last"], give)
    assert [response.outputs.get("out", np.array(None)).tolist() for response in responses] == [[1], None, None, [2]]
    assert [response.error.code() for response in responses[1:3]] == ["INTERNAL"] * 2
    assert [response.error.message().partition(":")[0] for response in responses[1:3]] == [
        f"the step failed on this request ({name})" for name in ("PanicException", "KeyError")
    ]
    assert "Traceback" in capsys.readouterr().err


def test_unknown_parameters_are_refused(shared, request_of):
    read = shared.step_responses.parameters_of
    assert read(request_of()) == {}
    assert read(request_of(parameters={"top": 2, "id": "from /generate"}), ["top"])["top"] == 2
    with pytest.raises(shared.step_responses.InvalidInputError, match=r"'size' is unknown; known are: top, bottom"):
        read(request_of(parameters={"top": 1, "size": 2}), ["top", "bottom"])
    with pytest.raises(shared.step_responses.InvalidInputError, match="this model has no parameters"):
        read(request_of(parameters={"stream": False}))


@pytest.mark.parametrize(
    ("flags", "refused"),
    [
        (["--http-header-forward-pattern=^x-trace", "--grpc-header-forward-pattern", "agent$"], ["stream"]),
        (["--http-header-forward-pattern=(?<no Python pattern"], []),
        ([], ["X-Trace-Id", "user-agent", "stream"]),
    ],
)
def test_headers_that_the_server_forwards_are_no_parameters(shared, request_of, monkeypatch, flags, refused):
    """The parent of a stub is tritonserver; here it is a real process with these flags."""
    command = [sys.executable, "-c", "input(print(flush=True))", *flags]
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    server.stdout.readline()  # it runs: before, it has no command line
    monkeypatch.setattr(os, "getppid", lambda: server.pid)
    try:
        found = []
        for name in ("X-Trace-Id", "user-agent", "stream"):
            try:
                shared.step_responses.parameters_of(request_of(parameters={name: "1"}))
            except shared.step_responses.InvalidInputError:
                found.append(name)
        assert found == refused
    finally:
        server.communicate(b"\n")


def test_exits_are_not_caught(shared):
    with pytest.raises(KeyboardInterrupt):
        shared.step_responses.respond(["a"], lambda _: (_ for _ in ()).throw(KeyboardInterrupt))


def test_no_requests_no_responses(shared):
    assert shared.step_responses.respond([], answer(shared)) == []


def test_a_step_finds_its_files_at_any_mount_point(shared, tmp_path):
    (tmp_path / "mount point" / "12").mkdir(parents=True)
    (tmp_path / "mount point" / "12" / "settings.json").write_text('{"label": "помощь"}', encoding="utf-8")
    args = {"model_repository": str(tmp_path / "mount point"), "model_version": "12"}
    assert shared.step_responses.read_settings(args) == {"label": "помощь"}


def test_tensors_have_the_types_of_the_config(shared):
    assert shared.step_responses.tensors(ARGS, "input") == {"x": np.float32, "t": np.object_}


def test_the_status_shows_whose_fault_it_is(shared):
    """400 is the client's fault and 500 the model's."""
    kinds = SimpleNamespace(
        input=shared.step_responses.InvalidInputError, result=shared.step_responses.InvalidResultError
    )
    assert not issubclass(kinds.input, kinds.result)
    assert not issubclass(kinds.result, kinds.input)


def test_requests_are_refused_while_the_file_exists(shared, monkeypatch, tmp_path):
    step = shared.step_responses
    monkeypatch.delenv("TRITON_REFUSING_FILE", raising=False)
    assert not step.is_overloaded()
    monkeypatch.setenv("TRITON_REFUSING_FILE", str(tmp_path / "refusing"))
    assert not step.is_overloaded()
    (tmp_path / "refusing").touch()
    assert step.is_overloaded()
    refusals = step.refuse(["first", "second"])
    assert [refusal.error.code() for refusal in refusals] == ["UNAVAILABLE"] * 2
    assert all("try again later" in refusal.error.message() for refusal in refusals)
    # In Triton's stub an error gives its text to one response only; another one would send arbitrary bytes.
    assert refusals[0].error is not refusals[1].error


class Timed:
    """A request as Triton's stub has it, with headers as parameters; or a response with an error of this code."""

    def __init__(self, error=None, **headers):
        self.code, self.headers = error, headers

    def parameters(self):
        return json.dumps({name.replace("_", "-"): value for name, value in self.headers.items()})

    def inputs(self):
        return [SimpleNamespace(shape=lambda: [3, 1])]

    def request_id(self):
        return ""

    def has_error(self):
        return self.code is not None

    def error(self):
        return SimpleNamespace(code=lambda: self.code)


def test_the_requests_of_a_step_are_reported(shared, tmp_path, monkeypatch):
    """To the guard's log: numbered ones, and those that came over gRPC. Nothing is reported without the log."""
    pipe = tmp_path / "times"
    os.mkfifo(pipe)
    end = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    requests = [Timed(guard_request="7"), Timed(), Timed(user_agent="grpc", x_request_id="abc")]
    assert shared.step_responses.timed(len) is len
    monkeypatch.setenv("TRITON_STEP_TIMES", str(pipe))
    answers = [Timed("INVALID_ARG"), Timed(), Timed()]
    assert shared.step_responses.timed(lambda _, batch: answers)(None, requests) == answers
    lines = [json.loads(line) for line in os.read(end, 9999).splitlines()]
    folder = Path(shared.step_responses.__file__).parent
    about = [200, folder.parent.name, folder.name, "abc"]
    assert [[line[0], *line[3:]] for line in lines] == [[7, 3], [0, 3, *about]]
    assert all(0 <= line[2] - line[1] < 5 for line in lines)
    os.close(end)
    assert shared.step_responses.timed(lambda _, batch: answers)(None, requests) == answers  # without a reader

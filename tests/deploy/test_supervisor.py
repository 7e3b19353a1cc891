"""The supervisor's settings and canary, without a server."""

import base64
import json
import struct

import pytest

from deploy.supervisor import canary, main, settings
from deploy.supervisor.triton_errors import TRY_LESS
from tests.loopback.triton_sentences import NO_ROOM


def test_defaults():
    assert settings.read({}) == settings.Settings()
    assert settings.read({"TRITON_HTTP_PORT": "", "TRITON_DRAIN_SECONDS": "25"}).drain_seconds == 25


def test_max_input_bytes_0_means_the_largest_size_of_triton():
    """Releases with a flag for it have a default of 64 MiB."""
    assert settings.read({"TRITON_MAX_INPUT_BYTES": "0"}).max_input_bytes == 2**31 - 1
    assert settings.read({"TRITON_MAX_INPUT_BYTES": str(2**31 - 1)}).max_input_bytes == 2**31 - 1


@pytest.mark.parametrize(("text", "is_guarded"), [("", True), ("always", True), ("auto", True), ("never", False)])
def test_the_guard_is_enabled_unless_it_is_switched_off(text, is_guarded):
    assert settings.read({"TRITON_GUARD": text}).is_guarded == is_guarded


def test_the_try_page_is_off_unless_it_is_switched_on(tmp_path):
    assert [settings.read({"TRITON_TRY_PAGE": text}).try_page for text in ("", "false", "true")] == [False, False, True]
    with pytest.raises(settings.SettingError, match="TRITON_GUARD never"):
        settings.read({"TRITON_TRY_PAGE": "true", "TRITON_GUARD": "never"})
    with pytest.raises(settings.SettingError, match=r"the image has no .*try\.json"):
        main.page_files(str(tmp_path))


def test_services_can_be_disabled_or_bound_to_loopback():
    assert settings.read({"TRITON_GRPC": "off"}).ports == [8000]
    assert settings.read({"TRITON_GRPC": "on", "TRITON_METRICS": "on"}) == settings.Settings()
    assert settings.read({"TRITON_METRICS": "off"}).metrics_address == "127.0.0.1"
    assert settings.read({"TRITON_MODEL_METRICS": "off"}).model_metrics is False
    assert settings.read({"TRITON_HTTP_ADDRESS": "127.0.0.1"}).http_address == "127.0.0.1"


def test_kubernetes_service_variables_are_ignored():
    assert settings.read({"TRITON_HTTP_PORT": "tcp://10.0.0.1:8000"}) == settings.Settings()


@pytest.mark.parametrize(
    ("name", "text"),
    [("TRITON_HTTP_PORT", "70000"), ("TRITON_HTTP_PORT", "http"), ("TRITON_DRAIN_SECONDS", "0"),
     ("TRITON_MAX_INPUT_BYTES", "-1"), ("TRITON_MAX_INPUT_BYTES", str(2**31)),
     ("TRITON_ADMIN_KEY", "short"), ("TRITON_ADMIN_KEY", "x" * 20 + ",y=z"),
     ("TRITON_ADMIN_KEY_FILE", "/no/such/file"), ("TRITON_GUARD", "0"), ("TRITON_GRPC", "no"),
     ("TRITON_MODEL_METRICS", "no"), ("TRITON_LOG_FORMAT", "xml"), ("TRITON_TRY_PAGE", "yes"),
     ("TRITON_API_PORT", "0"), ("TRITON_API_ADDRESS", "::"), ("TRITON_API_MAX_INPUTS", "many"),
     ("TRITON_API_KEYS_FILE", "/no/such/file"),
     ("TRITON_METRICS", "0"), ("TRITON_HTTP_ADDRESS", "10.0.0.1"), ("TRITON_GRPC_CERT_FILE", "/no/such/file")],
)  # fmt: skip
def test_an_invalid_setting_is_named(name, text):
    with pytest.raises(settings.SettingError, match=name) as raised:
        settings.read({name: text})
    assert not name.endswith("KEY") or text not in str(raised.value)


def test_the_key_is_read_from_a_file(tmp_path):
    (tmp_path / "key").write_text("0123456789abcdef\n")
    assert settings.read({"TRITON_ADMIN_KEY_FILE": str(tmp_path / "key")}).admin_key == "0123456789abcdef"
    (tmp_path / "key").write_text("")
    with pytest.raises(settings.SettingError, match="is empty"):
        settings.read({"TRITON_ADMIN_KEY_FILE": str(tmp_path / "key")})


@pytest.mark.parametrize(
    ("content", "says"),
    [("", "has no key"), (" \n\n", "has no key"), ("0123456789abcdef\nshort\n", "key 2 of TRITON_API_KEYS_FILE")],
)
def test_a_file_of_keys_that_cannot_be_used_is_refused(tmp_path, content, says):
    (tmp_path / "keys").write_text(content)
    with pytest.raises(settings.SettingError, match=says) as raised:
        settings.read({"TRITON_API_KEYS_FILE": str(tmp_path / "keys")})
    assert "0123456789abcdef" not in str(raised.value)


def test_models_do_not_get_the_keys():
    hidden = {"TRITON_ADMIN_KEY": "a", "TRITON_ADMIN_KEY_FILE": "b", "TRITON_API_KEYS_FILE": "c"}
    assert settings.without_secrets({**hidden, "C": "d"}) == {"C": "d"}


def row(*values, **changes):
    tensor = {"datatype": "BYTES", "shape": [len(values)], "data": list(values)}
    return {"model": "m", "batched": True, "inputs": {"text_input": tensor}, "outputs": {"echo": tensor}, **changes}


def load(tmp_path, *rows, **changes):
    file = tmp_path / "golden.json"
    file.write_text(json.dumps({"format": 2, "comparison": "tensors", "tolerance": 0.001, "rows": rows, **changes}))
    return canary.load(str(file), 1)


def test_the_smallest_rows_are_used(tmp_path):
    ours = load(tmp_path, *(row("x" * length) for length in (900, 5, 70, 1)))
    assert [each.outputs["echo"]["data"] for each in ours.rows] == [["x"], ["x" * 5], ["x" * 70]]


def test_each_model_and_version_is_used(tmp_path):
    rows = [row("a"), row("bb"), row("ccc"), row("dddd", version=1), row("eeeee", version=2), row("ffffff", model="n")]
    ours = load(tmp_path, *reversed(rows))
    assert [each.path for each in ours.rows] == ["m", "m/versions/1", "m/versions/2", "n"]
    assert [each.model for each in ours.rows] == ["m", "m", "m", "n"]


def test_half_precision_is_requested_as_a_binary_tensor(tmp_path, monkeypatch):
    """JSON cannot represent it."""
    tensors = {"y": {"datatype": "FP16", "shape": [2], "data": [0.5, -2]}, "é": row("b")["inputs"]["text_input"]}
    (sent,) = load(tmp_path, row("a", outputs=tensors)).rows
    request = json.loads(sent.body[: int(sent.headers["Inference-Header-Content-Length"])])
    assert request["parameters"] == {"binary_data_output": True}
    outputs = [
        {"name": "y", "datatype": "FP16", "shape": [1, 2], "parameters": {"binary_data_size": 4}},
        {"name": "é", "datatype": "BYTES", "shape": [1, 1], "parameters": {"binary_data_size": 5}},
    ]
    head = json.dumps({"outputs": outputs}, ensure_ascii=False).encode()
    for text, is_right in ((b"b", True), (b"c", False)):
        body = head + struct.pack("<2e", 0.5, -2) + struct.pack("<I", 1) + text
        monkeypatch.setattr(canary, "request", lambda *_, body=body, **__: (200, body))
        if is_right:
            load(tmp_path, row("a", outputs=tensors)).check(sent, 1)
        else:
            with pytest.raises(canary.WrongAnswerError, match="é"):
                load(tmp_path, row("a", outputs=tensors)).check(sent, 1)


def test_bytes_are_sent_as_a_binary_tensor(tmp_path):
    (sent,) = load(tmp_path, row("é", {"base64": base64.b64encode(b"\xff\0").decode()})).rows
    length = int(sent.headers["Inference-Header-Content-Length"])
    head = json.loads(sent.body[:length])["inputs"][0]
    assert head["shape"] == [1, 2] and head["parameters"] == {"binary_data_size": 12}
    assert sent.body[length:] == b"\2\0\0\0\xc3\xa9\2\0\0\0\xff\0"


def test_numbers_are_sent_with_their_datatype(tmp_path):
    tensor = {"datatype": "FP32", "shape": [3], "data": [1, 2.5, -1]}
    (sent,) = load(tmp_path, row("a", inputs={"x": tensor}, batched=False)).rows
    assert sent.body.endswith(struct.pack("<3f", 1, 2.5, -1))
    assert json.loads(sent.body[:-12])["inputs"][0]["shape"] == [3]


@pytest.mark.parametrize("changes", [{"format": 1}, {"rows": []}])
def test_invalid_golden_answers_are_refused(tmp_path, changes):
    with pytest.raises(ValueError, match="golden answers"):
        load(tmp_path, row("a"), **changes)


def reply(monkeypatch, status, content):
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    monkeypatch.setattr(canary, "request", lambda *arguments, **options: (status, body))


def outputs(*data):
    return {"outputs": [{"name": "echo", "datatype": "BYTES", "shape": [1, len(data)], "data": list(data)}]}


def test_a_right_answer_passes(tmp_path, monkeypatch):
    ours = load(tmp_path, row("a"), row({"base64": base64.b64encode(b"\xff").decode()}))
    reply(monkeypatch, 200, outputs("a"))
    ours.check(ours.rows[0], 1)
    reply(monkeypatch, 200, json.dumps(outputs("?")).encode().replace(b"?", b"\xff"))
    ours.check(ours.rows[1], 1)


@pytest.mark.parametrize(
    ("status", "content", "error"),
    [(200, outputs("b"), canary.WrongAnswerError), (200, outputs("a", "a"), canary.WrongAnswerError),
     (200, {"outputs": []}, canary.WrongAnswerError), (200, b"nope", canary.WrongAnswerError),
     (500, {"error": "x"}, canary.WrongAnswerError), (404, {"error": "x"}, canary.WrongAnswerError),
     (503, {"error": "Exceeds maximum queue size"}, canary.NoAnswerError), (429, {}, canary.NoAnswerError),
     (502, {"error": "the server did not respond"}, canary.NoAnswerError),
     *((status, each, canary.NoRoomError) for each in [*NO_ROOM.values(), TRY_LESS] for status in (500, 503)),
     (200, NO_ROOM["24.10"], canary.WrongAnswerError), (400, NO_ROOM["26.08"], canary.WrongAnswerError)],
)  # fmt: skip
def test_other_answers_raise_the_right_error(tmp_path, monkeypatch, status, content, error):
    ours = load(tmp_path, row("a"))
    reply(monkeypatch, status, content)
    with pytest.raises(error):
        ours.check(ours.rows[0], 1)


def test_an_unreachable_server_gives_no_answer(tmp_path):
    ours = load(tmp_path, row("a"))
    with pytest.raises(canary.NoAnswerError):
        ours.check(ours.rows[0], 1)

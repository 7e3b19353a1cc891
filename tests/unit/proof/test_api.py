"""The proof through routes, with a server whose answers are made here; tests/server/test_api.py has the real ones."""

import http.server
import json
import threading

import pytest

from utils.host.errors import BootProofError
from utils.proof.api import prove_api
from utils.proof.golden import GoldenAnswers, GoldenRow, TensorValue, texts
from utils.proof.golden_file import write_golden

FACTS = {"routes": ["tei"], "task": "feature-extraction", "model": "m", "version": "", "inputs": ["text_input"],
         "outputs": ["embedding"], "score_function": "none"}  # fmt: skip


def golden(text, value, **parameters):
    outputs = {"embedding": TensorValue(datatype="FP32", shape=(1,), data=(value,))}
    return GoldenRow(
        model="m", batched=True, inputs={"text_input": texts([text])}, outputs=outputs, parameters=parameters
    )


@pytest.fixture
def prove(tmp_path):
    """prove(answer): the number of requests, if the server answers each body with answer(body): (status, value)."""
    rows = (golden("a", 1.0), golden("bb", 2.0), golden("ccc", 3.0, prompt_name="query"))
    write_golden(GoldenAnswers(rows=rows, comparison="tensors"), tmp_path)
    (tmp_path / "api.json").write_text(json.dumps(FACTS))

    def run(answer):
        class Answering(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                status, value = answer({**body, "path": self.path})
                content = json.dumps(value).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_):
                pass

        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            try:
                return prove_api(f"127.0.0.1:{server.server_port}", tmp_path / "golden.json", tmp_path / "api.json")
            finally:
                server.shutdown()

    return run


def lengths(body):
    return 200, [[float(len(text))] for text in body["inputs"]]


def test_each_row_is_sent_alone_and_those_of_a_choice_together(prove):
    requests = []

    def answer(body):
        requests.append((body["path"], body["inputs"], body.get("prompt_name"), body["normalize"]))
        return lengths(body)

    assert prove(answer) == 4
    assert requests == [
        ("/embed", ["a"], None, False),
        ("/embed", ["bb"], None, False),
        ("/embed", ["ccc"], "query", False),
        ("/embed", ["a", "bb"], None, False),
    ]


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (lambda body: (200, [[1.5]] * len(body["inputs"])), "the answer of /embed to ['a'] differs"),
        (lambda body: (200, lengths(body)[1][::-1]), "the answer of /embed to ['a'] differs"),
        (lambda body: (200, lengths(body)[1] * 2), "differs"),
        (lambda _: (429, {"error": "busy"}), "status 429"),
    ],
    ids=["value", "order", "rows", "status"],
)
def test_a_wrong_answer_fails_the_proof(prove, answer, says):
    with pytest.raises(BootProofError) as raised:
        prove(answer)
    assert says in str(raised.value)

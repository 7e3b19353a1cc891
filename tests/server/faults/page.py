"""docs/faults.md: each case, what plain Triton answers, what this repository answers."""

from collections.abc import Sequence

from utils import ROOT
from utils.diagnosis.cases import CASES
from utils.diagnosis.target import Reply

PAGE = ROOT / "docs/faults.md"
# What follows in the page is written by hand.
BY_HAND = "\n## Mechanisms\n"
# Seen on Triton 24.10 with a repository as people write it by hand: no per-request errors, dims [-1], no bound.
PLAIN = {
    1: "500 with traceback",
    2: "all good ones of the batch lost",
    3: "400",
    4: "200 with a text dropped, or 500",
    5: "400 or 500",
    6: "400",
    7: "404",
    8: "200",
    9: "200",
    10: "70 MB accepted",
    11: "200 with a label",
    12: "never noticed",
    13: "exit 1, shared memory left, with an idle connection open",
    14: "stubs gone",
    15: "0 errors",
    16: "open",
    17: "ready before any inference",
    18: "not noted",
    19: "exits",
}
# What is no single request, or needs a container: (row, case, our answer, the test that proves it).
OTHERS = [
    (2, "1,000 good texts among as many bad ones, 40 at once",
        "every good one 200 and the same bytes, every bad one 400",
        "test_requests.py::test_invalid_texts_do_not_fail_others"),
    (10, "memory while a rejected body arrives", "grows by less than 5 MB",
         "test_requests.py::test_a_refused_body_takes_no_memory"),
    (11, "NaN or Inf logits", "500: the model's logits are not finite for this input: no label can be given",
         "test_model_faults.py"),
    (12, "a Python stub or the guard is killed, crashes or is stopped; a step hangs; answers are wrong",
         "the container exits with 1 within 15 s; with a restart policy it serves again within 30 s",
         "test_supervisor.py, tests/image/test_faults.py"),
    (13, "SIGTERM with 100 requests in flight and an idle connection",
         "all 200, exit 0 within 10 s, no shared memory left", "test_supervisor.py, tests/image/test_faults.py"),
    (14, "kill -9 of the server", "stubs and shared memory gone within 10 s", "test_end.py"),
    (15, "16 clients, 8,000 requests", "0 errors; memory grows by less than 5 MB after the first quarter",
         "test_load.py"),
    (16, "admin APIs without the key", "403 over HTTP, UNAVAILABLE (restricted) over gRPC", "test_admin.py"),
    (17, "readiness before the canary has passed", "503, or no connection yet", "test_supervisor.py"),
    (18, "rows 1 to 10 with a read-only root, no capabilities, uid 1000, 64 MiB of shared memory",
         "the same answers", "tests/image/test_faults.py"),
    (18, "a text of 67 MB with 64 MiB of shared memory",
         "503: the texts in flight do not fit into the shared memory of the server: send less at a time, or give it "
         "more (--shm-size)", "tests/image/test_faults.py"),
    (19, "port taken, broken repository", "exit 8 within 10 s with the reason; no shared memory left", "test_end.py"),
]  # fmt: skip
HEAD = """\
# Faults and answers

This page lists bad requests and other faults: what plain Triton 24.10 does, and what a server of this factory does. To
send these requests to an image that is built on your base image, run:

```
./doctor.sh --base-image IMAGE --prove
```

After each case the server is still ready, a good request gets the same bytes as before, and no process was replaced. No
answer contains a traceback, a path or a key of shared memory.

The layouts `ensemble` and `fused` give the same answers. In an ensemble, a sentence about a text begins with
`in ensemble 'MODEL_NAME', `, which this page omits. `UPDATE_FAULTS=1 ./run_tests.sh tests/server/faults/test_page.py`
writes this page from the answers of a real server. The same test fails if an answer changes.

| case | plain Triton 24.10 | this repository |
|---|---|---|
"""
# What Triton writes before the sentence of an ensemble's step.
ENSEMBLE = "in ensemble 'MODEL_NAME', "
TAIL = """
The request guard gives the answers about bodies that are too large or too deep. It changes Triton's 500 to 400 for JSON
that cannot be parsed (operations.md, Limits).

Over gRPC, 400 is INVALID_ARGUMENT and 404 is NOT_FOUND, with the same sentence (`test_grpc.py`).

`TRITON_ROOT=/opt/tritonserver ./run_tests.sh tests/server` runs the same tests on another release of Triton. The folder
must contain `bin`, `lib` and `backends`, and its Python stub must match the `python3` on PATH.
"""


def text(answers: Sequence[str]) -> str:
    """The page; `answers` (of `answer`) are those to CASES, in their order."""
    lines = [
        (case.row, case.name, case.plain or PLAIN[case.row], ours) for case, ours in zip(CASES, answers, strict=True)
    ]
    lines += [(row, name, PLAIN[row], f"{ours} (`{test}`)") for row, name, ours, test in OTHERS]
    ordered = sorted(lines, key=lambda line: line[0])
    return HEAD + "".join(f"| {name} | {plain} | {ours} |\n" for _, name, plain, ours in ordered) + TAIL


def answer(reply: Reply, model: str) -> str:
    """Its status, and the first sentence of an error, as a model of this name would give it in either layout."""
    if reply.status == 200:
        return "200"
    sentence = reply.error.replace("|", "\\|").partition(" NOTE:")[0].partition(". Got input")[0]
    sentence = sentence.removeprefix("[request id: <id_unknown>] ").rstrip(".").replace(model, "MODEL_NAME")
    return f"{reply.status}: {sentence.removeprefix(ENSEMBLE)}"

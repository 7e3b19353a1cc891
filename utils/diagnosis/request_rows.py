"""Runs the request rows of the fault table on a running container: rows 1 to 10 and 16."""

import http.client
import json
import time
from collections.abc import Callable, Iterator, Sequence

from utils.diagnosis.admin_apis import ADMIN_GRPC, ADMIN_HTTP, open_over_grpc, open_over_http
from utils.diagnosis.cases import CASES, Case, good_among_bad
from utils.diagnosis.findings import ProofRow, proof_row
from utils.diagnosis.target import LEAK, Reply, Target, infer_body
from utils.host.errors import BootProofError

# Row 9. A busy machine may need another attempt.
ANSWER_SECONDS, ATTEMPTS = 2.0, 3
GOOD_TEXTS = 400


def request_rows(target: Target, grpc: str) -> Iterator[ProofRow]:
    """The result of each case; after each the server must be ready and answer a good text as before."""
    before, release = target.infer(infer_body()).body, target.release
    for case in CASES:
        message = case.message_of(release)
        must = f'{case.status}: "{message}"' if message else str(case.status)
        wrong = _tried(_wrong, target, case, message)
        yield row(case.row, case.name, must, wrong, target, before, good=str(case.status))
    for number, name, must, check in (
        (2, f"{GOOD_TEXTS} good texts among as many bad ones", "good ones 200, bad ones 400", _good_among_bad),
        (16, "admin APIs over HTTP, no key", f"{len(ADMIN_HTTP)} of {len(ADMIN_HTTP)} closed", _open_over_http),
    ):
        yield row(number, name, must, _tried(check, target), target, before)
    must = f"{len(ADMIN_GRPC)} of {len(ADMIN_GRPC)} closed"
    yield row(16, "admin APIs over gRPC, no key", must, _listed(open_over_grpc(grpc)), target, before)


def _tried(check: Callable[..., str], *arguments: object) -> str:
    """The fault that the check finds; after a lost connection the table continues."""
    try:
        return check(*arguments)
    except (OSError, http.client.HTTPException) as error:
        return f"no answer ({type(error).__name__})"


def _good_among_bad(target: Target) -> str:
    lost, unnamed = good_among_bad(target, GOOD_TEXTS)
    return f"{lost} good ones lost, {unnamed} bad ones without a 400" if lost or unnamed else ""


def _open_over_http(target: Target) -> str:
    return _listed(open_over_http(target))


def _listed(still_open: Sequence[str]) -> str:
    return f"open: {', '.join(still_open)}" if still_open else ""


def row(number: int, case: str, must: str, wrong: str, target: Target, before: bytes, *, good: str = "") -> ProofRow:
    """The row of a case; `wrong` is empty if the answer was right, then `good` (else `must`) is its result."""
    wrong = wrong or _harm(target, before)
    return proof_row(number, case, must, wrong or good or must, BootProofError.exit_code if wrong else 0)


def _wrong(target: Target, case: Case, message: str) -> str:
    """The fault in the answer to the case; empty if it is right."""
    durations = []
    for _attempt in range(ATTEMPTS):
        started = time.monotonic()
        reply = case.send(target)
        durations.append(time.monotonic() - started)
        if durations[-1] <= ANSWER_SECONDS:
            break
    if wrong := wrong_answer(reply, case, message):
        return wrong
    return f"{reply.status} after {min(durations):.1f} s" if min(durations) > ANSWER_SECONDS else ""


def wrong_answer(reply: Reply, case: Case, message: str) -> str:
    """The fault in an answer to a case, whose error must contain `message`; empty if it is right."""
    if reply.status != case.status:
        return f"{reply.status}: {' '.join(reply.text[:120].split())}"
    if leak := LEAK.search(reply.text):
        return f"{reply.status}, and it contains {leak[0]!r}"
    try:
        if case.status == http.client.OK:
            return "" if set(reply.outputs) == {"predicts", "scores"} else f"200 with {', '.join(reply.outputs)}"
        if set(json.loads(reply.body)) != {"error"} or message not in reply.error:
            return f"{reply.status}: {reply.text[:120]}"
    except (ValueError, KeyError, TypeError):
        return f"{reply.status}, not a JSON answer of Triton: {reply.text[:120]}"
    return ""


def _harm(target: Target, before: bytes) -> str:
    if not target.is_ready():
        return "right, but the server is not ready afterwards"
    return _tried(_changed, target, before)


def _changed(target: Target, before: bytes) -> str:
    same = target.infer(infer_body()).body == before
    return "" if same else "right, but a good text has another answer afterwards"

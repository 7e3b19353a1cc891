"""Row 15: many clients for a while."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.server.faults.target import resident_megabytes
from utils.diagnosis.target import infer_body

CLIENTS = 16
# 100,000 by choice; a build machine has no time for it.
REQUESTS = int(os.environ.get("FAULTS_REQUESTS", "8000"))
TEXTS = [f"{'money back please ' * length}{length}" for length in range(1, 40)]


def fire(target, count):
    """Sends `count` requests over CLIENTS kept connections; returns the answers other than 200."""
    bodies = [infer_body([text]) for text in TEXTS]

    def client(number):
        connection, wrong = target.connect(), []
        try:
            for turn in range(count // CLIENTS):
                connection.request("POST", f"/v2/models/{target.model}/infer", bodies[(number + turn) % len(bodies)])
                response = connection.getresponse()
                body = response.read()
                if response.status != 200:
                    wrong.append((response.status, body[:200]))
        finally:
            connection.close()
        return wrong

    with ThreadPoolExecutor(CLIENTS) as pool:
        return [each for wrong in pool.map(client, range(CLIENTS)) for each in wrong]


@pytest.mark.long("fused")
def test_no_error_and_no_growth_under_load(target):
    assert fire(target, REQUESTS // 4) == []
    before = resident_megabytes(target.family)
    assert fire(target, REQUESTS - REQUESTS // 4) == []
    assert resident_megabytes(target.family) - before < 5
    target.assert_unharmed()

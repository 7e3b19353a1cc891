"""A guard of several processes before the real Triton: they answer and drain as one does."""

import signal
from concurrent.futures import ThreadPoolExecutor

from tests.server.faults.conftest import ONE_LAYOUT
from tests.server.faults.supervised import supervised
from tests.server.faults.target import Target
from utils.diagnosis.target import GOOD, infer_body

pytestmark = ONE_LAYOUT
PROCESSES, IN_FLIGHT, ENDED = 3, 100, 15


def test_all_processes_answer_and_drain(run, built):
    server = run(TRITON_GUARD_PROCESSES=str(PROCESSES))
    assert len(server.guards) == PROCESSES
    assert f"(processes: {PROCESSES})" in server.log_text()
    target = Target(server, built[0])
    target.assert_unharmed()
    assert target.infer(b"[" * 5000).status == 400
    connections = [target.connect() for _ in range(IN_FLIGHT)]
    body = infer_body([f"{GOOD} {'again ' * 50}"] * 4)
    for connection in connections:
        connection.request("POST", f"/v2/models/{built[0]}/infer", body)
    server.process.send_signal(signal.SIGTERM)
    with ThreadPoolExecutor(IN_FLIGHT) as pool:
        assert list(pool.map(lambda each: each.getresponse().status, connections)) == [200] * IN_FLIGHT
    assert server.process.wait(ENDED) == 0, server.log_text()


def test_several_processes_with_a_json_log_are_refused(built, serving, tmp_path):
    with supervised(built[1], serving, tmp_path, TRITON_GUARD_PROCESSES="2", TRITON_LOG_FORMAT="json") as server:
        assert server.process.wait(ENDED) == 2
    assert "TRITON_GUARD_PROCESSES is 2, but with TRITON_LOG_FORMAT=json" in server.log_text()

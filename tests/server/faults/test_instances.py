"""Several instances of the fused model, as the server's start chooses them, on the real Triton.

This machine has two processors: that more instances answer more texts a second is not shown here, but in benchmarks/.
"""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from tests.server.faults.supervised import supervised
from tests.server.published import scrape
from tests.server.task_requests import ask

pytestmark = pytest.mark.parametrize("layout", ["fused"], indirect=True)
CLIENTS, REQUESTS = 6, 20


def links(server):
    return Path(f"/tmp/triton-models-{server.process.pid}")


def texts_of(server, model):
    """The number of texts that the model counted: a second passes until it is published."""
    time.sleep(1.5)
    found = scrape(f"127.0.0.1:{server.ports['metrics']}")
    return sum(
        value
        for (name, labels), value in found.items()
        if name == "triton_factory_text_tokens_count" and ("model", model) in labels
    )


def test_all_instances_answer_like_one_and_count_together(run, built):
    model, _ = built
    one, three = run(), run(TRITON_INSTANCES="3")
    assert (len(one.stubs()), len(three.stubs())) == (1, 3)
    assert not links(one).exists()
    assert (links(three) / "0" / model / "1").resolve() == built[1] / model / "1"
    assert f"model {model}: 3 instances" in three.log_text()
    texts = [[f"the quick brown fox number {number}"] for number in range(REQUESTS)]
    awaited = [ask("grpc", one.address, model, {"text_input": [text]}) for text in texts]
    before = texts_of(three, model)

    def client(_):
        return [ask("grpc", three.address, model, {"text_input": [text]}) for text in texts]

    with ThreadPoolExecutor(CLIENTS) as pool:
        for answers in pool.map(client, range(CLIENTS)):
            for answer, expected in zip(answers, awaited, strict=True):
                assert answer["predicts"].tolist() == expected["predicts"].tolist()
                np.testing.assert_allclose(answer["scores"], expected["scores"], rtol=1e-5)
    assert texts_of(three, model) - before == CLIENTS * REQUESTS
    three.process.send_signal(signal.SIGTERM)
    assert three.process.wait(20) == 0
    assert not links(three).exists()


def test_the_server_ends_when_one_instance_of_several_ends(run):
    server = run(TRITON_INSTANCES="2")
    os.kill(server.stubs()[1], signal.SIGKILL)
    assert server.process.wait(15) == 1
    assert "Python stub" in server.log_text()
    assert not links(server).exists()


@pytest.mark.parametrize("value", ["x", "0", "65"])
def test_a_wrong_number_ends_the_start(built, serving, tmp_path, value, layout):
    with supervised(built[1], serving, tmp_path, TRITON_INSTANCES=value) as server:
        assert server.process.wait(20) == 2
        assert "TRITON_INSTANCES" in server.log_text()


def test_a_build_with_its_own_number_takes_no_other(built, serving, tmp_path):
    """The mark of the automatic number is taken out of a copy, as --instances leaves it out."""
    model, repository = built
    own = tmp_path / "models" / model
    own.mkdir(parents=True)
    (own / "1").symlink_to(repository / model / "1")
    lines = (repository / model / "config.pbtxt").read_text().splitlines()
    (own / "config.pbtxt").write_text("\n".join(line for line in lines if '"auto"' not in line))
    with supervised(own.parent, serving, tmp_path, TRITON_INSTANCES="2") as server:
        assert server.process.wait(20) == 2
        assert "--instances" in server.log_text()

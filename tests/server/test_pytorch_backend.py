"""The backend "pytorch" in a real Triton, on modules made here: which tensor is which, and what a failed run answers.

The backend is this project's stand-in in Python, held to the C++ backend's rules (its own docstring names the source).
What the C++ backend does with places that do not exist, which is to write past its lists, a stand-in cannot show.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tritonclient.http as triton_http
from tritonclient.utils import InferenceServerException

CONFIG = """
backend: "pytorch"
platform: "pytorch_libtorch"
max_batch_size: 8
dynamic_batching {{ max_queue_delay_microseconds: 300000 }}
input [ {{ name: "{}" data_type: TYPE_INT64 dims: [ 1 ] }}, {{ name: "{}" data_type: TYPE_INT64 dims: [ 1 ] }} ]
output [ {{ name: "{}" data_type: TYPE_FP32 dims: [ 1 ] }}, {{ name: "{}" data_type: {} dims: [ 1 ] }} ]
"""
# name of the model: the names of its inputs and outputs, in the order of the config
NAMED = {
    "arguments": (("row", "minus"), ("difference__0", "row__1")),
    "indexed": (("minus__1", "row__0"), ("row__1", "difference__0")),
    "ordered": (("row", "other"), ("difference", "table")),
    "half_indexed": (("row__9", "other"), ("difference__7", "table")),
}


@pytest.fixture(scope="module")
def server(tmp_path_factory, serve_repository):
    import torch

    class Lookup(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.table = torch.nn.Embedding.from_pretrained(torch.arange(5.0)[:, None] * 10)

        def forward(self, row, minus):
            looked_up = self.table(row)[:, 0]
            return looked_up - minus, looked_up

    repository = tmp_path_factory.mktemp("pytorch") / "models"
    module = torch.jit.script(Lookup())
    for name, tensors in {**NAMED, "typed": NAMED["arguments"], "absent": (("row", "minus"), ("a__0", "b__2"))}.items():
        (repository / name / "1").mkdir(parents=True)
        module.save(str(repository / name / "1/model.pt"))
        kind = "TYPE_FP64" if name == "typed" else "TYPE_FP32"
        (repository / name / "config.pbtxt").write_text(CONFIG.format(*tensors[0], *tensors[1], kind))
    return serve_repository(repository)


def ask(server, model, inputs):
    """`inputs`: {name: number}; {output name: number}, or the error."""
    tensors = []
    for name, number in inputs.items():
        tensors.append(triton_http.InferInput(name, [1, 1], "INT64"))
        tensors[-1].set_data_from_numpy(np.array([[number]]))
    with triton_http.InferenceServerClient(server.address.http) as client:
        try:
            result = client.infer(model, tensors)
        except InferenceServerException as error:
            return error
        return {each["name"]: result.as_numpy(each["name"]).item() for each in result.get_response()["outputs"]}


@pytest.mark.parametrize(
    ("model", "inputs", "outputs"),
    [
        ("arguments", {"minus": 1, "row": 3}, {"difference__0": 29, "row__1": 30}),
        ("indexed", {"minus__1": 1, "row__0": 3}, {"difference__0": 29, "row__1": 30}),
        ("ordered", {"other": 1, "row": 3}, {"difference": 29, "table": 30}),
        ("half_indexed", {"other": 1, "row__9": 3}, {"difference__7": 29, "table": 30}),
    ],
)
def test_tensors_are_found_by_argument_by_index_or_by_order(server, model, inputs, outputs):
    assert ask(server, model, inputs) == outputs


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        ("typed", "configuration expects datatype TYPE_FP64 for output 'row__1', model provides TYPE_FP32"),
        ("absent", "The output b__2 in the model configuration refers to an output index which doesn't exist."),
    ],
)
def test_an_output_that_does_not_fit_is_found_by_the_first_request(server, model, sentence):
    error = ask(server, model, {"row": 1, "minus": 1})
    assert error.status() == "400"
    assert sentence in error.message()


def test_a_request_at_fault_fails_all_that_share_its_run(server):
    """The C++ backend answers every request of a failed run with torch's text; over HTTP the guard says it shorter."""
    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(lambda row: ask(server, "arguments", {"row": row, "minus": 0}), [1, 99, 3]))
    assert [answer.status() for answer in answers] == ["500"] * 3
    for answer in answers:
        assert "the model's graph failed on these inputs" in answer.message()
        assert "index out of range" not in answer.message()
    assert ask(server, "arguments", {"row": 1, "minus": 0}) == {"difference__0": 10, "row__1": 10}

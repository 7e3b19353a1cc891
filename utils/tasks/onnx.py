"""A ready ONNX graph, served under MODEL_NAME itself with the tensors it has."""

from utils.convert.task import GraphTask
from utils.repository.steps import bare_graph

TASK = GraphTask(
    name="onnx",
    inputs=(),
    outputs=lambda _settings, _graph: (),  # those of the graph, under their own names
    formats=("onnx",),
    layouts={"direct": (bare_graph,)},
    takes_labels=False,
)

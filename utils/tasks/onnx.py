"""A ready ONNX graph, served under MODEL_NAME itself with the tensors it has."""

from utils.steps import bare_graph
from utils.tasks.task import Task

TASK = Task(
    name="onnx",
    origins=("graph",),
    export_task="",
    auto_class="",
    graph_outputs=(),
    inputs=(),
    outputs=lambda _settings, _graph: (),  # those of the graph, under their own names
    formats=("onnx",),
    layouts={"direct": (bare_graph,)},
    settle=lambda _config, _labels, _options: {},
    takes_labels=False,
)

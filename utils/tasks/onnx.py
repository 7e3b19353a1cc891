"""A ready ONNX graph, served under MODEL_NAME itself with the tensors it has."""

from utils.convert.task import Task
from utils.repository.steps import bare_graph

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
    resolve_settings=lambda _config, _labels, _options: {},
    takes_labels=False,
)

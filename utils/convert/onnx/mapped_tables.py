"""Large lookup tables of an ONNX graph (embeddings) lie in a file beside it: a runtime maps that instead of reading it.

So what no text looks up takes no memory, and several sessions of a server share the rest. Source: ONNX Runtime maps
external data of the CPU; weights of products it packs anew for itself, and they gain nothing by it.
"""

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from utils.convert.onnx.walk import nodes_of
from utils.repository.pipeline import Graph

LEAST_BYTES = 1 << 20


def with_mapped_tables(graph: Graph) -> Graph:
    """`graph` at the same place with its tables in `model.onnx_data`; the same one where it has no large table.

    One with external data, being too large for a file, stays as it is, as do those that are not ONNX.
    """
    import onnx
    from onnx.external_data_helper import set_external_data

    if graph.external_files or graph.format != "onnx":
        return graph
    model = onnx.load(str(graph.path))
    looked_up = {node.input[0] for node in nodes_of(model.graph.node) if node.op_type == "Gather"}
    tables = [each for each in model.graph.initializer if each.name in looked_up and len(each.raw_data) >= LEAST_BYTES]
    if not tables:
        return graph
    data = f"{graph.path.name}_data"
    for each in tables:
        set_external_data(each, location=data)
    with tempfile.TemporaryDirectory(prefix="tables-", dir=graph.path.parent) as private:
        made = Path(private) / graph.path.name
        onnx.save(model, str(made))
        shutil.copymode(made, made.with_name(data))
        for name in (data, made.name):
            (made.parent / name).replace(graph.path.with_name(name))
    return replace(graph, external_files=(data,))

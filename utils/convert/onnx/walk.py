"""Visits every node of an ONNX graph, in the bodies of its loops and branches too."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any


def bodies_of(node: Any) -> Iterator[Any]:
    """The graphs (GraphProto) in the attributes of a node: the body of a Loop or Scan, the branches of an If."""
    for attribute in node.attribute:
        yield from attribute.graphs
        if attribute.HasField("g"):  # reading a message field that is not set and changing it would create it
            yield attribute.g


def nodes_of(nodes: Iterable[Any]) -> Iterator[Any]:
    """`nodes` and those in their bodies; a body can use the values of the graph around it."""
    for node in nodes:
        yield node
        for body in bodies_of(node):
            yield from nodes_of(body.node)


def graphs_of(graph: Any) -> Iterator[Any]:
    """`graph` and every body in it."""
    yield graph
    for node in nodes_of(graph.node):
        yield from bodies_of(node)


def replace_all(field: Any, values: Sequence[Any]) -> None:
    """Makes `values` the content of a repeated field, such as the nodes of a graph."""
    del field[:]
    field.extend(values)


def rename_values(nodes: Iterable[Any], names: Mapping[str, str]) -> None:
    """Renames inputs and outputs of `nodes` and of those in their bodies. `names`: {old name: new name}."""
    for node in nodes_of(nodes):
        for values in (node.input, node.output):
            for place, name in enumerate(values):
                values[place] = names.get(name, name)

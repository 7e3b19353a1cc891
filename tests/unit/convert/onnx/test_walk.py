"""The walk through a graph whose nodes hold graphs of their own: one in `g`, several in `graphs`."""

import pytest
from onnx import AttributeProto, helper

from utils.convert.onnx.walk import graphs_of, nodes_of, rename_values


def body(name, *nodes):
    return helper.make_graph([helper.make_node("Identity", ["x"], [name]), *nodes], name, [], [])


@pytest.fixture
def graph():
    """outer: If with the branches `then` (that holds a Loop) and `else`; and a node with two graphs in a list."""
    loop = helper.make_node("Loop", ["x"], ["of_loop"], body=body("loop"))
    branch = helper.make_node("If", ["x"], ["of_if"], then_branch=body("then", loop), else_branch=body("else"))
    several = helper.make_node("Custom", ["x"], ["of_custom"])
    several.attribute.append(AttributeProto(name="all", type=AttributeProto.GRAPHS, graphs=[body("one"), body("two")]))
    return helper.make_graph([branch, several], "outer", [], [])


def test_every_node_is_visited(graph):
    outputs = [node.output[0] for node in nodes_of(graph.node)]
    assert sorted(outputs) == ["else", "loop", "of_custom", "of_if", "of_loop", "one", "then", "two"]


def test_every_graph_is_visited(graph):
    assert sorted(each.name for each in graphs_of(graph)) == ["else", "loop", "one", "outer", "then", "two"]


def test_values_are_renamed_in_bodies_too(graph):
    rename_values(graph.node, {"x": "y", "two": "three"})
    assert {name for node in nodes_of(graph.node) for name in node.input} == {"y"}
    assert "three" in {node.output[0] for node in nodes_of(graph.node)}


def test_a_node_without_a_body_gets_none(graph):
    list(nodes_of(graph.node))
    plain = graph.node[1].attribute[0].graphs[0].node[0]
    assert not plain.attribute

"""docs/deploy.md: its figures are those of docs/performance.md. tests/image and tests/deploy run its commands."""

import re

import pytest

from utils import ROOT

PAGE = (ROOT / "docs/deploy.md").read_text(encoding="utf-8")
PERFORMANCE = (ROOT / "docs/performance.md").read_text(encoding="utf-8")


def measured(clients, server):
    """The row of a server in performance.md: texts/s, share, CPU, share, CPU of the clients, p50, p99."""
    section = re.search(rf"(?ms)^### Mixed texts, HTTP, {clients} clients?, 1 a request$(.*?)^##", PERFORMANCE)[1]
    return re.search(rf"(?m)^\| {server} \| (.*) \|$", section)[1].split(" | ")


@pytest.mark.parametrize("clients", [1, 8, 32])
def test_the_figures_of_one_replica(clients):
    texts, *_, p50, p99 = measured(clients, "fused")
    assert f"| {clients} | {texts} | {p50} | {p99} |" in PAGE


def test_the_figure_of_int8():
    assert f"int8 reaches {measured(32, 'fused int8')[0]}" in PAGE

"""The steps that several tasks share: how each is made from what a build has."""

from pathlib import Path

from utils.formats import FORMATS
from utils.pipeline import Graph, Ingredients, Step
from utils.tensors import TensorSpec

# Tokens a run of the graph takes at most, padding included: longer rows side by side gain nothing on a CPU.
TOKEN_BUDGET = 512


def text_preprocessing(ingredients: Ingredients) -> Step:
    """Texts, or pairs of texts where two inputs are served, to what the graph takes."""
    return Step(
        model_name=ingredients.name_of("text_preprocessing"),
        component="text_preprocessing",
        max_batch_size=ingredients.max_batch_size,
        inputs=ingredients.inputs,
        outputs=ingredients.graph.inputs,
        files=tokenizer_file(ingredients),
        documents={"settings.json": dict(ingredients.tokenization)},
    )


def tokenizer_file(ingredients: Ingredients) -> dict[str, Path]:
    """The frozen tokenizer, where a step that tokenizes expects it; none while a build is only planned."""
    return {"tokenizer.json": ingredients.tokenizer_file} if ingredients.tokenizer_file else {}


def graph_step(ingredients: Ingredients) -> Step:
    """The exported model as a step of its own, its tensors as the graph has them."""
    component = FORMATS[ingredients.graph.format].component
    return step_of_graph(ingredients, ingredients.graph, ingredients.name_of(component))


def step_of_graph(ingredients: Ingredients, graph: Graph, model_name: str) -> Step:
    """One exported model under a name of its own."""
    row = FORMATS[graph.format]
    return Step(
        model_name=model_name,
        component=row.component,
        max_batch_size=ingredients.max_batch_size if graph.batched else 0,
        inputs=graph.inputs,
        outputs=graph.outputs,
        instance_kind=ingredients.graph_instance_kind,
        gpus=ingredients.gpus,
        files=graph_files(graph),
    )


def graph_files(graph: Graph) -> dict[str, Path]:
    """The graph and its external data, as they lie in a version folder."""
    return {FORMATS[graph.format].file: graph.path, **{name: graph.path.parent / name for name in graph.external_files}}


def fused(ingredients: Ingredients, answering: str, **settings: object) -> Step:
    """All steps of a task of texts in one; `answering`: the shared module that makes answers of the graph's outputs."""
    graph = ingredients.graph
    own = {
        "answering": answering,
        "graph_outputs": [tensor.name for tensor in graph.outputs],
        "token_budget": TOKEN_BUDGET,
    }
    return Step(
        model_name=ingredients.model_name,
        component="fused",
        max_batch_size=ingredients.max_batch_size,
        inputs=ingredients.inputs,
        outputs=ingredients.outputs,
        files={**tokenizer_file(ingredients), **graph_files(graph)},
        documents={"settings.json": {**ingredients.tokenization, **ingredients.settings, **own, **settings}},
    )


def id2label(labels: tuple[str, ...]) -> dict[str, str]:
    """The labels as the post-processing steps read them."""
    return {str(index): label for index, label in enumerate(labels)}


def text_input(name: str = "text_input") -> TensorSpec:
    """One UTF-8 text a row."""
    return TensorSpec(name=name, dtype="BYTES", dims=(1,))

"""The steps that several tasks share: how each is made from what a build has."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from utils.repository.corpus import GOLDEN_PAIRS, GOLDEN_TEXTS
from utils.repository.pipeline import Graph, Ingredients, Step
from utils.repository.tensors import TensorSpec
from utils.targets.formats import FORMATS

# Tokens a run of the graph takes at most, padding included: of 128 to 2048 the fastest (benchmarks/limit.py).
TOKEN_BUDGET = 256
# Texts without a limit of tokens are padded to no length above this one.
LONGEST_BUCKET = 8192
SHORTEST_BUCKETS = (16, 24)
# What a server runs before it is ready, for a model of one text and for one of pairs.
WARM_UP = {1: GOLDEN_TEXTS[:8], 2: GOLDEN_PAIRS[:8]}


def text_preprocessing(ingredients: Ingredients) -> Step:
    """Texts, or pairs of texts where two inputs are served, to what the graph takes."""
    return Step(
        model_name=ingredients.name_of("text_preprocessing"),
        component="text_preprocessing",
        max_batch_size=ingredients.max_batch_size,
        inputs=ingredients.inputs,
        outputs=ingredients.graph.inputs,
        files=tokenizer_file(ingredients),
        documents={"settings.json": _bucketed(ingredients)},
    )


def _bucketed(ingredients: Ingredients) -> dict[str, Any]:
    """The tokenization, with the lengths that requests are padded to, where there are to be few of them."""
    settings = dict(ingredients.tokenization)
    padding = settings.get("padding")
    if not ingredients.pads_to_buckets or not padding or "length" in padding:
        return settings
    return {**settings, "padding": {**padding, "buckets": length_buckets(settings.get("max_length"))}}


def length_buckets(limit: int | None) -> list[int]:
    """Numbers of tokens, each a third or a half more than the one before, up to the limit of a text."""
    most = limit or LONGEST_BUCKET
    lengths = sorted(start << doubled for start in SHORTEST_BUCKETS for doubled in range(most.bit_length()))
    return [length for length in lengths if length < most] + [most]


def tokenizer_file(ingredients: Ingredients) -> dict[str, Path]:
    """The frozen tokenizer, where a step that tokenizes expects it; none while a build is only planned."""
    return {"tokenizer.json": ingredients.tokenizer_file} if ingredients.tokenizer_file else {}


def graph_step(ingredients: Ingredients) -> Step:
    """The exported model as a step of its own, its tensors as the graph has them."""
    component = FORMATS[ingredients.graph.format].component
    return step_of_graph(ingredients, ingredients.graph, ingredients.name_of(component))


def graph_call(ingredients: Ingredients) -> dict[str, Any]:
    """What a step that calls the graph's step must know of it: the settings of model_repository/shared/graph_call.py.

    utils/repository/check.py holds them against the model that is called.
    """
    called = graph_step(ingredients)
    return {
        "model": called.model_name,
        "max_batch_size": called.max_batch_size,
        "inputs": {tensor.name: tensor.config_dtype for tensor in called.inputs},
        "outputs": {tensor.name: tensor.config_dtype for tensor in called.outputs},
        "padding": ingredients.tokenization.get("padding"),
    }


def step_of_graph(ingredients: Ingredients, graph: Graph, model_name: str) -> Step:
    """One exported model under a name of its own."""
    row = FORMATS[graph.format]
    inputs, input_names = _by_position("input", graph.inputs) if row.positional else (graph.inputs, {})
    outputs, output_names = _by_position("output", graph.outputs) if row.positional else (graph.outputs, {})
    return Step(
        model_name=model_name,
        component=row.component,
        max_batch_size=ingredients.max_batch_size if graph.batched else 0,
        inputs=inputs,
        outputs=outputs,
        stands_for={**input_names, **output_names},
        instance_kind=ingredients.graph_instance_kind,
        gpus=ingredients.gpus,
        files=graph_files(graph),
    )


def _by_position(word: str, tensors: tuple[TensorSpec, ...]) -> tuple[tuple[TensorSpec, ...], dict[str, str]]:
    """The tensors under names of their position, and what each name stands for. `word`: "input" or "output".

    Source of <name>__<index>: Triton's pytorch_backend, README.md, on the names of inputs and outputs.
    """
    named = tuple(replace(tensor, name=f"{word}__{position}") for position, tensor in enumerate(tensors))
    return named, {new.name: usual.name for new, usual in zip(named, tensors, strict=True)}


def bare_graph(ingredients: Ingredients) -> Step:
    """The exported model as the served model: clients send the graph's own tensors."""
    return sharing_no_failure(graph_step(ingredients))


def sharing_no_failure(step: Step) -> Step:
    """`step` without dynamic batching if a value that a client sends can make a run fail.

    Triton's C++ backends fail every request of a run that fails. On a CPU an integer can lie outside of the table it
    indexes, and a text can be none that the graph converts; any float or truth value can be computed with. On a GPU
    ONNX Runtime reads zeros outside of a table: source gather_impl.cu of its CUDA provider.
    """
    safe = all(tensor.dtype.startswith("FP") or tensor.dtype == "BOOL" for tensor in step.inputs)
    return step if safe or step.instance_kind == "KIND_GPU" else replace(step, batch_delay=None)


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
        "engine": ingredients.engine,
        "precision": ingredients.precision,
        "warm_up": WARM_UP[len(ingredients.inputs)],
    }
    return Step(
        model_name=ingredients.model_name,
        component="fused",
        max_batch_size=ingredients.max_batch_size,
        inputs=ingredients.inputs,
        outputs=ingredients.outputs,
        requirements=(f"requirements-{ingredients.engine}.txt",),
        files={**tokenizer_file(ingredients), **graph_files(graph)},
        documents={"settings.json": {**ingredients.tokenization, **ingredients.settings, **own, **settings}},
    )


def id2label(labels: tuple[str, ...]) -> dict[str, str]:
    """The labels as the post-processing steps read them."""
    return {str(index): label for index, label in enumerate(labels)}


def text_input(name: str = "text_input") -> TensorSpec:
    """One UTF-8 text a row."""
    return TensorSpec(name=name, dtype="BYTES", dims=(1,))

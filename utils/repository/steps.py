"""Steps that several tasks share, made from the ingredients of a build."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from utils.repository.accelerators import accelerator
from utils.repository.corpus import GOLDEN_PAIRS, GOLDEN_TEXTS
from utils.repository.pipeline import Graph, Ingredients, Step
from utils.repository.tensors import TensorSpec
from utils.targets.formats import FORMATS

# Maximum number of tokens in a run of the graph, with padding: the fastest from 128 to 2048 (benchmarks/limit.py).
TOKEN_BUDGET = 256
# The largest padding bucket for models without a limit of tokens.
LONGEST_BUCKET = 8192
SHORTEST_BUCKETS = (16, 24)
# {number of inputs: texts or pairs of texts}, which a server runs before it is ready.
WARM_UP = {1: GOLDEN_TEXTS[:8], 2: GOLDEN_PAIRS[:8]}


def step_of(
    ingredients: Ingredients,
    component: str,
    *,
    inputs: tuple[TensorSpec, ...],
    documents: Mapping[str, Any],
    outputs: tuple[TensorSpec, ...] | None = None,
    files: Mapping[str, Path] = {},
) -> Step:
    """A step without a graph, for as many rows as the served model; `outputs` None: the served ones."""
    return Step(
        model_name=ingredients.name_of(component),
        component=component,
        max_batch_size=ingredients.max_batch_size,
        inputs=inputs,
        outputs=ingredients.outputs if outputs is None else outputs,
        files=files,
        documents=documents,
    )


def text_preprocessing(ingredients: Ingredients) -> Step:
    """Tokenizes texts, or pairs of texts if two inputs are served, to the inputs of the graph."""
    return step_of(
        ingredients,
        "text_preprocessing",
        inputs=ingredients.inputs,
        outputs=ingredients.graph.inputs,
        files=tokenizer_file(ingredients),
        documents={"settings.json": _bucketed(ingredients)},
    )


def _bucketed(ingredients: Ingredients) -> dict[str, Any]:
    """The tokenization settings, with padding buckets if the runtime pads to a few fixed lengths."""
    settings = dict(ingredients.tokenization)
    padding = settings.get("padding")
    if not ingredients.pads_to_buckets or not padding or "length" in padding:
        return settings
    return {**settings, "padding": {**padding, "buckets": length_buckets(settings.get("max_length"))}}


def length_buckets(limit: int | None) -> list[int]:
    """Numbers of tokens, each a third or a half more than the previous one, up to the limit of a text."""
    last = limit or LONGEST_BUCKET
    lengths = sorted(start << doubled for start in SHORTEST_BUCKETS for doubled in range(last.bit_length()))
    return [length for length in lengths if length < last] + [last]


def tokenizer_file(ingredients: Ingredients) -> dict[str, Path]:
    """{file name: path} of the frozen tokenizer; empty while a build is only planned."""
    return {"tokenizer.json": ingredients.tokenizer_file} if ingredients.tokenizer_file else {}


def graph_step(ingredients: Ingredients) -> Step:
    """The exported model as a step, with the tensors of the graph."""
    component = FORMATS[ingredients.graph.format].component
    step = step_of_graph(ingredients, ingredients.graph, ingredients.name_of(component))
    return replace(step, accelerator=accelerator(ingredients, _lengths(ingredients)))


def _lengths(ingredients: Ingredients) -> list[int]:
    """The numbers of tokens that the graph gets, in ascending order: the buckets, or the length of every text."""
    fixed = (ingredients.tokenization.get("padding") or {}).get("length")
    return [fixed] if fixed else length_buckets(ingredients.tokenization.get("max_length"))


def calling_step(ingredients: Ingredients, component: str, settings: Mapping[str, Any]) -> Step:
    """The served model of a task whose step tokenizes its inputs and calls the graph's step.

    Settings of the call: model_repository/shared/graph_call.py. utils/repository/check.py compares them with the config
    of the graph's step.
    """
    called = graph_step(ingredients)
    call = {
        "model": called.model_name,
        "max_batch_size": called.max_batch_size,
        "inputs": {tensor.name: tensor.config_dtype for tensor in called.inputs},
        "outputs": {tensor.name: tensor.config_dtype for tensor in called.outputs},
        "padding": ingredients.tokenization.get("padding"),
    }
    return step_of(
        ingredients,
        component,
        inputs=ingredients.inputs,
        files=tokenizer_file(ingredients),
        documents={"settings.json": {**settings, "tokenization": dict(ingredients.tokenization), "graph": call}},
    )


def step_of_graph(ingredients: Ingredients, graph: Graph, model_name: str) -> Step:
    """A step for one exported model, named `model_name`."""
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
    """The tensors named by position, and {new name: name in the graph}. `word` is "input" or "output".

    Source of <name>__<index>: Triton's pytorch_backend, README.md, on the names of inputs and outputs.
    """
    named = tuple(replace(tensor, name=f"{word}__{position}") for position, tensor in enumerate(tensors))
    return named, {new.name: tensor.name for new, tensor in zip(named, tensors, strict=True)}


def bare_graph(ingredients: Ingredients) -> Step:
    """The exported model as the served model: clients send the graph's own tensors."""
    return isolating_failures(graph_step(ingredients))


def isolating_failures(step: Step) -> Step:
    """`step` without dynamic batching if a value that a client sends can make a run fail.

    Triton's C++ backends fail every request of a run that fails. On a CPU an integer can be an index out of range, and
    a text can be one that the graph cannot convert; floats and truth values never fail a run. On a GPU ONNX Runtime
    reads zeros for an index out of range. Source: gather_impl.cu of its CUDA provider.
    """
    safe = all(tensor.dtype.startswith("FP") or tensor.dtype == "BOOL" for tensor in step.inputs)
    return step if safe or step.instance_kind == "KIND_GPU" else replace(step, batch_delay=None)


def graph_files(graph: Graph) -> dict[str, Path]:
    """{name in the version folder: path} of the graph and its external data."""
    return {FORMATS[graph.format].file: graph.path, **{name: graph.path.parent / name for name in graph.external_files}}


def fused(ingredients: Ingredients, answering: str, settings: Mapping[str, Any]) -> Step:
    """All steps of a text task in one.

    `answering` is the shared module that turns graph outputs into answers, by these `settings` among others.
    """
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
        instances=0,
        requirements=(f"requirements-{ingredients.engine}.txt",),
        files={**tokenizer_file(ingredients), **graph_files(graph), **{file.name: file for file in ingredients.files}},
        documents={"settings.json": {**ingredients.tokenization, **settings, **own}},
    )


def id2label(labels: tuple[str, ...]) -> dict[str, str]:
    """The labels in the form of id2label.json."""
    return {str(index): label for index, label in enumerate(labels)}


def text_input(name: str = "text_input") -> TensorSpec:
    """The spec of an input with one UTF-8 text per row."""
    return TensorSpec(name=name, dtype="BYTES", dims=(1,))

"""Stage 5: the plan of the model repository, from the build's options and the tensors of its graphs."""

from dataclasses import replace
from pathlib import Path

from utils.convert.origins.origin import Known, Models
from utils.convert.task import pipeline_of
from utils.convert.types import FrozenTokenizer, Settings
from utils.options.build_spec import BuildSpec
from utils.repository.layouts import LAYOUTS
from utils.repository.pipeline import Graph, Ingredients, Pipeline
from utils.repository.steps import isolating_failures, step_of_graph
from utils.repository.tuned import tuned
from utils.targets.runtimes import RUNTIMES


def served_pipeline(
    spec: BuildSpec,
    known: Known,
    settings: Settings,
    graphs: Models[Graph],
    tokenizer: FrozenTokenizer | None,
    files: tuple[Path, ...] = (),
) -> Pipeline:
    """The layout, filled with this build's tensors, names and settings, and the `files` that its steps also need.

    UsageError for a name given to a tensor that there is not, and for tuning that has no effect.
    """
    task, serving, target = spec.source.task, spec.serving, spec.target
    pipeline = pipeline_of(task)
    of_steps = {name: graphs.by_name[name] for name in pipeline.names} if pipeline else {"model": graphs.served}
    runtime = RUNTIMES[target.device]
    ingredients = Ingredients(
        model_name=serving.model_name,
        max_batch_size=serving.max_batch_size,
        inputs=serving.names.of_inputs(task.inputs),
        outputs=serving.names.of_outputs(task.outputs(settings, graphs.served)),
        graphs=of_steps,
        graph_instance_kind=runtime.instance_kind,
        gpus=target.gpus,
        engine=target.engine.name,
        precision=target.reduction.precision.name,
        release=target.release.name,
        pads_to_buckets=runtime.pads_to_buckets,
        settings=settings,
        labels=known.label_texts,
        step_names=serving.names.steps,
        tokenizer_file=tokenizer.file if tokenizer else None,
        tokenization=tokenizer.settings if tokenizer else {},
        files=files,
    )
    planned = LAYOUTS[serving.layout](ingredients, tuple(make(ingredients) for make in task.layouts[serving.layout]))
    added = tuple(
        isolating_failures(step_of_graph(ingredients, graph, name))
        for name, graph in graphs.added.items()
        if name not in of_steps
    )
    return tuned(replace(planned, steps=(*planned.steps, *added)), target.tuning)

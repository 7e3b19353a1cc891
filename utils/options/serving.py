"""The options that say how the model is served: names and versions."""

from utils.convert.task import Task
from utils.host.errors import UsageError
from utils.host.numbers import whole_number
from utils.repository import names
from utils.repository.serving import ServedNames, Serving, parse_names
from utils.repository.version_policy import parse_policy


def parse_serving(
    texts: dict[str, str], task: Task, layout: str, model_name: str, max_batch_size: int, served_names: ServedNames
) -> Serving:
    """--model-version, --versions-of and --version-policy beside the names.

    UsageError if the served model cannot have versions.
    """
    number, tag, policy = (texts.get(name) for name in ("model_version", "versions_of", "version_policy"))
    if (number or tag or policy) and (layout == "ensemble" or len(task.layouts[layout]) > 1):
        raise UsageError(
            f"--model-version, --versions-of and --version-policy need a served model of one step; "
            f"--task {task.name} in layout {layout} has several, and two versions would share them; use another TAG or "
            "MODEL_NAME"
        )
    if tag and not number:
        raise UsageError(f"--versions-of {tag}: add --model-version N, the number of the new version")
    return Serving(
        model_name=model_name,
        layout=layout,
        max_batch_size=max_batch_size,
        names=served_names,
        model_version=None if number is None else whole_number("--model-version", number),
        versions_of=names.check_tag(tag) if tag else None,
        version_policy=parse_policy(policy) if policy else None,
    )


def parse_served_names(texts: dict[str, str], task: Task, model_name: str) -> ServedNames:
    """--input-name, --output-name and --step-name; UsageError for an unknown name and for a name used twice."""
    served = ServedNames(
        inputs=parse_names("--input-name", texts.get("input_name")),
        outputs=parse_names("--output-name", texts.get("output_name")),
        steps=parse_names("--step-name", texts.get("step_name")),
    )
    served.of_inputs(task.inputs)
    if not task.inputs:  # then the graph's own tensors are served, under their own names
        served.of_outputs(())
    steps = sorted(names.internal_model_names())
    for step, name in served.steps.items():
        if step not in steps:
            raise UsageError(
                f"--step-name {step or name!r} names no step; write STEP=NAME with one of: {', '.join(steps)}"
            )
        names.check_step_name(name)
    models = [model_name, *(served.steps.get(step, step) for step in steps)]
    for name in served.steps.values():
        if models.count(name) > 1:
            raise UsageError(f"--step-name {name!r} names two models (MODEL_NAME counts too); choose another")
    return served

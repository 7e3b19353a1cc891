"""What is reported of a build: the plan of --dry-run and the JSON object of --json."""

from collections.abc import Mapping
from typing import Any

from utils.convert.origins.origin import Known
from utils.convert.types import Settings
from utils.options.build_spec import BuildSpec
from utils.repository.pipeline import Pipeline
from utils.targets.runtimes import RUNTIMES


def describe(
    spec: BuildSpec, known: Known, settings: Settings, pipeline: Pipeline, docker: Mapping[str, str]
) -> dict[str, Any]:
    """The plan as JSON values: names and revisions, tensors, steps, release, image."""
    unverified = spec.target.release.doubts(of_gpu=RUNTIMES[spec.target.device].needs_driver)
    return {
        "model": {"reference": str(spec.source.sources.model), **known.facts.get("model", {})},
        "tokenizer": {"reference": str(spec.source.sources.tokenizer)} if spec.source.sources.tokenizer else None,
        "revisions": known.revisions,
        "labels": {
            "count": len(known.labels.texts),
            "source": known.labels.source,
            "texts": known.labels.texts,
        }
        if known.labels
        else None,
        "task": {"name": spec.source.task.name, **known.facts.get("task", {}), **settings},
        "release": {
            "name": spec.target.release.name,
            "triton": spec.target.release.triton,
            "onnxruntime": spec.target.release.onnxruntime,
            "opset": spec.target.release.opset,
            "python": docker["python"],
            **({"reason": spec.target.release_reason} if spec.target.release_reason else {}),
            **({"unverified": list(unverified)} if unverified else {}),
        },
        "device": spec.target.device,
        "graph": {
            "format": spec.target.form.format,
            "engine": spec.target.engine.name,
            "precision": spec.target.reduction.precision.name,
            **({"sequence_length": spec.target.form.sequence_length} if spec.target.form.sequence_length else {}),
            "input_dtype": spec.target.form.input_dtype,
        },
        **({"tuning": spec.target.tuning.values} if spec.target.tuning.values else {}),
        "runtime": docker["runtime"],
        "base_images": [docker["triton_image"], *([docker["slim_image"]] if docker["runtime"] == "slim" else [])],
        "served_model": {
            "name": pipeline.model_name,
            "max_batch_size": pipeline.max_batch_size,
            "inputs": [str(tensor) for tensor in pipeline.inputs],
            "outputs": [str(tensor) for tensor in pipeline.outputs],
        },
        "steps": [
            {
                "model": step.model_name,
                "inputs": [str(tensor) for tensor in step.inputs],
                "outputs": [str(tensor) for tensor in step.outputs],
            }
            for step in pipeline.steps
        ],
        "image": None if spec.output.no_image else spec.output.image,
    }


def result_line(result: Mapping[str, Any]) -> str:
    """What names a finished build in one line: the digest of a pushed image, the image, or the model repository."""
    return str(result.get("digest") or result["image"] or result.get("model_repository"))


def as_text(plan: Mapping[str, Any], indent: str = "") -> str:
    """The plan for a person: one line a value, nested by indentation."""
    lines = []
    for name, value in plan.items():
        if isinstance(value, Mapping):
            lines += [f"{indent}{name}:", as_text(value, indent + "  ")]
        elif isinstance(value, list) and value and isinstance(value[0], Mapping):
            lines.append(f"{indent}{name}:")
            steps = (f"{each['model']}: {', '.join(each['inputs'])} -> {', '.join(each['outputs'])}" for each in value)
            lines += [f"{indent}  {step}" for step in steps]
        else:
            shown = ", ".join(map(str, value)) if isinstance(value, list | tuple) else value
            lines.append(f"{indent}{name}: {shown}")
    return "\n".join(lines)

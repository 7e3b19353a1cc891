"""api.json: what the routes of --api need to know of the served model (deploy/api/facts.py reads it)."""

import json
from pathlib import Path
from typing import Any

from utils.convert.origins.origin import Known
from utils.convert.types import Settings
from utils.factory.parameters import public_reference
from utils.options.build_spec import BuildSpec
from utils.repository.context import API_FILE
from utils.repository.pipeline import Pipeline
from utils.targets.apis import apis_for


def write_api_facts(spec: BuildSpec, known: Known, settings: Settings, pipeline: Pipeline, tree: Path) -> None:
    """Writes `tree`/api.json for a task that has routes: with --api for these, else for all, which serve.sh has."""
    routes = spec.output.api or apis_for(spec.source.task.name)
    if routes:
        facts = {"routes": list(routes), **_facts(spec, known, settings, pipeline)}
        (tree / API_FILE).write_text(json.dumps(facts, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _facts(spec: BuildSpec, known: Known, settings: Settings, pipeline: Pipeline) -> dict[str, Any]:
    tokenizing = next(step for step in pipeline.steps if "tokenizer.json" in step.files)
    (size,) = pipeline.outputs[0].dims[-1:]
    sizes = settings.get("dimensions") or ([size] if size > 0 else [])
    return {
        "task": spec.source.task.name,
        "model": pipeline.model_name,
        "version": "" if spec.serving.model_version is None else str(tokenizing.version),
        "max_batch_size": pipeline.max_batch_size,
        "inputs": [tensor.name for tensor in pipeline.inputs],
        "outputs": [tensor.name for tensor in pipeline.outputs],
        "tokenizer": f"{tokenizing.model_name}/{tokenizing.version}",
        "labels": list(known.label_texts),
        "dimensions": list(sizes),
        "score_function": str(settings.get("score_function") or settings.get("activation") or "none"),
        "about": {
            "model_id": public_reference(spec.source.sources.model),
            "revision": known.revisions["model"],
            "precision": spec.target.reduction.precision.name,
        },
    }

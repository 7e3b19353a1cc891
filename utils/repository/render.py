"""Stage 6, first half: `.template` files become config.pbtxt."""

import json

import jinja2

from utils import ROOT
from utils.host.errors import RenderError
from utils.repository.pipeline import Pipeline, Step

COMPONENTS_ROOT = ROOT / "model_repository"
TEMPLATE = "config.pbtxt.template"
GENERATED = "generated from context.json; change the template or the build's options, not this file"


def render_ensemble(pipeline: Pipeline) -> str:
    """The served model's config."""
    return _render(f"{pipeline.layout}/{TEMPLATE}", pipeline=pipeline)


def render_step(pipeline: Pipeline, step: Step) -> str:
    """One step's config. Any component can have several versions, so that none's template needs to speak of them."""
    config = _render(f"{step.component}/{TEMPLATE}", pipeline=pipeline, step=step)
    return config + (f"version_policy {{ {step.version_policy} }}\n" if step.version_policy else "")


def _render(template: str, **values: object) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(COMPONENTS_ROOT),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,  # pbtxt, not HTML: the pbtxt filter quotes what is text
    )
    environment.filters["pbtxt"] = lambda text: json.dumps(text, ensure_ascii=False)
    try:
        return environment.get_template(template).render(generated=GENERATED, **values).lstrip()
    except jinja2.TemplateError as error:
        raise RenderError(f"template {template} cannot be rendered: {error}; mend it or its context") from error

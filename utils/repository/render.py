"""Stage 6, first half: renders `.template` files to config.pbtxt."""

import json
import re
from pathlib import Path

import jinja2

from utils import ROOT
from utils.host.errors import RenderError
from utils.repository.pipeline import Pipeline, Step

COMPONENTS_ROOT = ROOT / "model_repository"
TEMPLATE = "config.pbtxt.template"
SHARED_TEMPLATE = f"shared/{TEMPLATE}"
GENERATED = "generated from context.json; change the template or the build's options, not this file"


def render_ensemble(pipeline: Pipeline) -> str:
    """The config of the ensemble, which is the served model."""
    return render(COMPONENTS_ROOT, f"{pipeline.layout}/{TEMPLATE}", pipeline=pipeline)


def render_step(pipeline: Pipeline, step: Step) -> str:
    """The config of a step, from its component's template or, if that has only a model.py, from the shared one.

    The version policy is appended here, because any component can have several versions.
    """
    has_model = (COMPONENTS_ROOT / step.component / "1/model.py").is_file()
    templates = [f"{step.component}/{TEMPLATE}", *([SHARED_TEMPLATE] if has_model else [])]
    config = render(COMPONENTS_ROOT, *templates, pipeline=pipeline, step=step)
    return config + (f"version_policy {{ {step.version_policy} }}\n" if step.version_policy else "")


def render(root: Path, *templates: str, **values: object) -> str:
    """The first of `templates` below `root` that exists, rendered; RenderError for one that cannot be rendered.

    Every name in a template needs a value, or the template fails.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(root),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,  # pbtxt and YAML, not HTML: the filters pbtxt, tojson and quoted quote texts
    )
    environment.filters["quoted"] = quoted
    environment.filters["pbtxt"] = lambda text: json.dumps(text, ensure_ascii=False)
    try:
        return environment.select_template(templates).render(generated=GENERATED, **values).lstrip()
    except jinja2.TemplateError as error:
        raise RenderError(f"template {templates[0]} cannot be rendered: {error}; correct it or its context") from error


def quoted(value: object) -> str:
    """`value` as JSON that YAML reads, too: it allows no control characters, and no escaped halves of a character."""
    text = json.dumps(value, ensure_ascii=False)
    return re.sub("[\x7f-\x9f\u2028\u2029\ufeff]", lambda found: f"\\u{ord(found[0]):04x}", text)

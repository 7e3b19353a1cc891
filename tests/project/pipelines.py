"""The shell scripts in action.yml and in the example pipelines, and how the two services run them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from utils import ROOT

FILES = {
    "vendor.github-actions": ROOT / "action.yml",
    "vendor.github-workflows": ROOT / "examples/pipelines/github.yml",
    "vendor.gitlab-ci": ROOT / "examples/pipelines/gitlab.yml",
}


@dataclass(frozen=True, kw_only=True)
class Script:
    """A step's script. `variables`: what the pipeline sets for it."""

    name: str
    text: str
    variables: dict[str, str]

    # GitHub runs `bash --noprofile --norc -e -o pipefail`, GitLab a script that begins with `set -eo pipefail`.
    command = ("bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c")


def load(file: Path) -> Any:
    return yaml.safe_load(file.read_text(encoding="utf-8"))


def scripts() -> dict[str, Script]:
    """Every script, by file and step."""
    action = load(FILES["vendor.github-actions"])["runs"]["steps"]
    jobs = load(FILES["vendor.github-workflows"])["jobs"]
    steps = [("action.yml", step) for step in action]
    steps += [("github.yml", step) for job in jobs.values() for step in job["steps"]]
    found = [
        Script(name=f"{file}: {step.get('name', step.get('id'))}", text=step["run"], variables=step.get("env", {}))
        for file, step in steps
        if "run" in step
    ]
    for name, job in load(FILES["vendor.gitlab-ci"]).items():
        if isinstance(job, dict):
            text = "\n".join(line.rstrip("\n") for line in job["script"]) + "\n"
            found.append(Script(name=f"gitlab.yml: {name}", text=text, variables=job.get("variables", {})))
    return {script.name: script for script in found}


SCRIPTS = scripts()

"""The APIs beside Triton's own that an image can have (--api): one row each. Standard library only."""

from collections.abc import Mapping
from dataclasses import dataclass

from utils.host.errors import UsageError
from utils.host.numbers import require_known


@dataclass(frozen=True, kw_only=True)
class Api:
    """A row. `name` is one of PROTOCOLS in deploy/api/app.py; `tasks` are those that its routes can answer for.

    `one_score`: those of `tasks` whose models must have one output.
    """

    name: str
    tasks: tuple[str, ...]
    one_score: tuple[str, ...] = ()


APIS: Mapping[str, Api] = {
    row.name: row
    for row in (
        Api(name="openai", tasks=("feature-extraction",)),
        Api(
            name="tei",
            tasks=(
                "feature-extraction",
                "sparse-embedding",
                "text-ranking",
                "text-classification",
                "text-pair-classification",
            ),
            one_score=("text-ranking",),
        ),
    )
}


def apis_for(task: str) -> tuple[str, ...]:
    """The names of the rows that can answer for a task."""
    return tuple(row.name for row in APIS.values() if task in row.tasks)


def parse_apis(text: str, task: str) -> tuple[str, ...]:
    """The rows that `text` names, separated by commas; UsageError for one that is unknown or not for the task."""
    names = tuple(dict.fromkeys(part.strip() for part in text.split(",")))
    for name in names:
        require_known("--api", name, APIS)
        if task not in APIS[name].tasks:
            suited = f"choose of: {', '.join(apis_for(task))}" if apis_for(task) else "leave --api out"
            raise UsageError(
                f"--api {name} has no route for --task {task}, only for {', '.join(APIS[name].tasks)}; {suited}"
            )
    return names


def require_one_score(names: tuple[str, ...], task: str, scores: int) -> None:
    """UsageError for a model with several outputs, of which a route could give one only; `scores` -1: unknown."""
    for name in names:
        if task in APIS[name].one_score and scores > 1:
            raise UsageError(f"--api {name} gives one score for a pair, and the model has {scores}; leave --api out")

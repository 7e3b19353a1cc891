"""The values of each knob that are worth a try on this machine, and those that a build has."""

from collections.abc import Collection

from benchmarks.contest import Setting
from utils.host.errors import UsageError
from utils.repository.context import Context
from utils.repository.served_code import load_shared
from utils.repository.steps import TOKEN_BUDGET
from utils.repository.tuned import SETTINGS, computing, takes_batches
from utils.targets.formats import DEFAULT_FORMAT, FORMATS
from utils.targets.tuning import KNOBS


def start_of(context: Context) -> tuple[Setting, Setting]:
    """The value of each knob that affects this build, and of those knobs that were set when it was built.

    Threads 0: ONNX Runtime chooses, one for each core of the host.
    """
    step = computing(context.pipeline)[0]
    own = step.documents.get(SETTINGS, {})
    values = {
        "threads": step.threads or (cpu_count() if own else 0),
        "instances": max(1, step.instances),
        "token_budget": own.get("token_budget", TOKEN_BUDGET),
        "batch_delay": step.batch_delay or 0,
    }
    chosen = {
        "threads": step.threads > 0,
        "instances": step.instances > 1,
        "token_budget": values["token_budget"] != TOKEN_BUDGET,
        "batch_delay": bool(step.batch_delay),
    }
    # Requests that share no run do so for safety (utils/repository/steps.py): no measurement can weigh that.
    built, batches = built_as(context), takes_batches(context.pipeline) and step.batch_delay is not None
    fitting = [name for name, row in KNOBS.items() if row.fits(**built) and (batches or not row.batches)]
    return {name: values[name] for name in fitting}, {name: values[name] for name in fitting if chosen[name]}


def built_as(context: Context) -> dict[str, str]:
    """Layout, device and format: what KNOBS ask for."""
    component = computing(context.pipeline)[0].component
    format_name = next((row.name for row in FORMATS.values() if row.component == component), DEFAULT_FORMAT)
    return {"layout": context.pipeline.layout, "device": context.device, "format": format_name}


def cpu_count() -> int:
    """As a served graph counts them."""
    return int(load_shared("container_limits").cpu_count())


def worth_trying(start: Setting, only: Collection[str] = ()) -> dict[str, list[Setting]]:
    """By knob, what to change for each value; several instances are tried with the CPUs shared among them, too.

    UsageError for one of `only` that has no effect on this build.
    """
    for name in only:
        if name not in start:
            raise UsageError(f"--only {name} has no effect on this build; choose from: {', '.join(start)}")
    cpus = cpu_count()
    halves = sorted({max(1, cpus >> times) for times in range(4)})
    shared = [{"instances": count, "threads": max(1, cpus // count)} for count in (1, 2, 4) if count <= cpus]
    ways: dict[str, list[Setting]] = {
        "token_budget": [{"token_budget": tokens} for tokens in (128, 256, 512, 1024)],
        "threads": [{"threads": count} for count in halves],
        "instances": [{"instances": 2}, *shared],
        "batch_delay": [{"batch_delay": delay} for delay in (0, 500, 2000, 5000)],
    }
    return {name: _fitting(changes, start) for name, changes in ways.items() if name in (only or start)}


def _fitting(changes: list[Setting], start: Setting) -> list[Setting]:
    """Without the knobs that have no effect; what is the same then is tried once."""
    fitting = [{name: value for name, value in change.items() if name in start} for change in changes]
    return [each for place, each in enumerate(fitting) if each not in fitting[:place]]

"""The activation from logits to scores: --activation, or the model's own."""

from utils.convert.task import TaskOption
from utils.convert.types import Settings
from utils.host.errors import SourceError, UsageError

# torch class named in a model's files -> rule of model_repository/shared/scoring.py.
OF_TORCH = {"Sigmoid": "sigmoid", "Identity": "none", "Tanh": "tanh", "ReLU": "relu"}
# Values of function_to_apply in transformers' text-classification pipeline.
OF_PIPELINE = ("sigmoid", "softmax", "none")
NAMES = tuple(dict.fromkeys((*OF_PIPELINE, *OF_TORCH.values())))


ACTIVATION = TaskOption(
    name="activation",
    metavar="NAME",
    help=f"activation of the scores: {', '.join(NAMES)} (default: the model's)",
    choices=NAMES,
)


def chosen(options: Settings, allowed: tuple[str, ...], task: str) -> str | None:
    """--activation, None without it; UsageError if the task does not allow it."""
    name: str | None = options.get("activation")
    if name is not None and name not in allowed:
        raise UsageError(f"--activation {name!r} is not for --task {task}; choose one of: {', '.join(allowed)}")
    return name


def of_torch(named: object, file: str) -> str:
    """The rule for the full name of a torch class; SourceError for a class that is not served."""
    name = str(named).rpartition(".")[2]
    if name not in OF_TORCH or not str(named).startswith("torch."):
        raise SourceError(
            f"{file!r} names the activation {named!r}, which is not served; choose with --activation "
            f"one of: {', '.join(OF_TORCH.values())}"
        )
    return OF_TORCH[name]

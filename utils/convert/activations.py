"""Which function makes scores of a classifier's or a cross-encoder's logits: --activation, or what the model says."""

from utils.convert.task import TaskOption
from utils.convert.types import Settings
from utils.host.errors import SourceError, UsageError

# The classes of torch that a model may name as its own -> the rule of model_repository/shared/scoring.py.
OF_TORCH = {"Sigmoid": "sigmoid", "Identity": "none", "Tanh": "tanh", "ReLU": "relu"}
# What transformers' text-classification pipeline has as function_to_apply.
OF_PIPELINE = ("sigmoid", "softmax", "none")
NAMES = tuple(dict.fromkeys((*OF_PIPELINE, *OF_TORCH.values())))


def parse_activation(text: str) -> str:
    """--activation; UsageError for one that no task has."""
    if text not in NAMES:
        raise UsageError(f"--activation {text!r} is not known; choose one of: {', '.join(NAMES)}")
    return text


ACTIVATION = TaskOption(
    name="activation",
    metavar="NAME",
    help=f"of logits to scores: {', '.join(NAMES)} (default: the model's)",
    parse=parse_activation,
)


def chosen(options: Settings, allowed: tuple[str, ...], task: str) -> str | None:
    """--activation where it is given; UsageError for one that the task does not have."""
    name: str | None = options.get("activation")
    if name is not None and name not in allowed:
        raise UsageError(f"--activation {name!r} is not for --task {task}; choose one of: {', '.join(allowed)}")
    return name


def of_torch(named: object, file: str) -> str:
    """The rule for a class of torch, by its full name; SourceError, naming it and `file`, for any other."""
    name = str(named).rpartition(".")[2]
    if name not in OF_TORCH or not str(named).startswith("torch."):
        raise SourceError(
            f"{file!r} names the activation {named!r}, which is not served; choose with --activation "
            f"one of: {', '.join(OF_TORCH.values())}"
        )
    return OF_TORCH[name]

"""What tasks take from a folder of sentence-transformers: its prompts, and the limit and the case of texts."""

from collections.abc import Mapping
from typing import Any

from utils.convert.task import TaskOption
from utils.convert.types import Example, Settings
from utils.host.errors import UsageError
from utils.sources.model_config import ModelConfig
from utils.sources.sentence_folder import SentenceFolder

PROMPT_NAME = TaskOption(
    name="prompt_name", metavar="NAME", help="prompt before texts of requests that name none (default: the model's)"
)


def prompts_of(folder: SentenceFolder, options: Settings, config: ModelConfig) -> Settings:
    """The settings `prompts` and `default_prompt` (--prompt-name, else the folder's); {} for a model without prompts.

    UsageError for a name that the model does not have.
    """
    name: str | None = options.get("prompt_name", folder.default_prompt)
    if name is not None and name not in folder.prompts:
        raise UsageError(
            f"--prompt-name {name!r} is not a prompt of the model in {str(config.file.parent)!r}; "
            + (f"choose one of: {', '.join(folder.prompts)}" if folder.prompts else "it has none: leave the option out")
        )
    return {"prompts": folder.prompts, "default_prompt": name} if folder.prompts else {}


def limits_of(folder: SentenceFolder, config: ModelConfig) -> Settings:
    """The settings `max_length`, in tokens, and `lower_case`; each is absent if the folder does not set it."""
    settings: dict[str, object] = {}
    if folder.max_length is not None:
        settings["max_length"] = min(folder.max_length, config.longest_text or folder.max_length)
    if folder.lower_case:
        settings["lower_case"] = True
    return settings


def with_text(settings: Settings) -> list[Example]:
    """The parameters of a request for each prompt with a text of its own."""
    return [{"prompt_name": name} for name, text in settings.get("prompts", {}).items() if text]


def prompted(settings: Settings, example: Example) -> str:
    """The first text of a request behind its prompt."""
    name = example.get("prompt_name", settings.get("default_prompt"))
    return str((settings["prompts"][name] if name is not None else "") + example["text_input"])


def argument(settings: Settings, example: Example) -> Mapping[str, Any]:
    """The argument of the library's `encode` or `predict` for a request."""
    name = example.get("prompt_name", settings.get("default_prompt"))
    return {"prompt_name": name} if name is not None else {}

"""Adapters of tiny models, made by PEFT itself."""

from pathlib import Path
from typing import Any

from tests.tiny_models import SENTENCES
from utils.host import environment
from utils.host.environments import PEFT

# The module names of tests.tiny_models.bert that most types adapt.
ATTENTION = ["query", "value"]


def adapter(
    base: Path,
    folder: Path,
    *,
    kind: str = "LORA",
    auto_class: str = "AutoModelForSequenceClassification",
    task_type: str | None = "SEQ_CLS",
    steps: int = 0,
    base_settings: dict[str, Any] | None = None,
    **settings: Any,
) -> Path:
    """An adapter of `kind` for the model in `base`, trained `steps` steps; without any, its weights are random.

    `base_settings`: of the base's config during the training, such as num_labels.
    """
    environment.open_packages(PEFT)
    import peft
    import torch
    import transformers
    from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING

    torch.manual_seed(0)
    options = {"ignore_mismatched_sizes": True, **(base_settings or {})}
    model = getattr(transformers, auto_class).from_pretrained(base, **options)
    config = {"target_modules": ATTENTION, **settings}
    config = {name: value for name, value in config.items() if value is not None}
    tuned = peft.get_peft_model(model, PEFT_TYPE_TO_CONFIG_MAPPING[peft.PeftType(kind)](task_type=task_type, **config))
    trained = [each for each in tuned.parameters() if each.requires_grad and each.is_floating_point()]
    if steps:
        _train(tuned, transformers.AutoTokenizer.from_pretrained(base), trained, steps)
    else:
        for each in trained:
            each.data.add_(torch.randn_like(each) * 0.1)
    tuned.save_pretrained(folder)
    return folder


def _train(model: Any, tokenizer: Any, parameters: list[Any], steps: int) -> None:
    """A few large steps that move every output of the model."""
    import torch

    batch = tokenizer(SENTENCES[:5], padding=True, return_tensors="pt")
    optimizer = torch.optim.Adam(parameters, lr=0.05)
    target = None
    for _ in range(steps):
        output = model(**batch)[0]
        target = torch.randn_like(output) if target is None else target
        loss = torch.nn.functional.mse_loss(output, target)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()


def loaded(base: Path, folder: Path, auto_class: str = "AutoModelForSequenceClassification", **settings: Any) -> Any:
    """The base with the adapter on it, as PEFT's own users load it."""
    environment.open_packages(PEFT)
    import peft
    import transformers

    model = getattr(transformers, auto_class).from_pretrained(base, ignore_mismatched_sizes=True, **settings)
    return peft.PeftModel.from_pretrained(model, str(folder)).eval()

"""Merges an adapter into its base model, as PEFT does, and gives the answers of the unmerged model.

PEFT has an environment of its own, and this process adds its packages behind the factory's: torch and transformers stay
those of the conversion.
"""

import tempfile
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from utils.convert import reference_model
from utils.convert.task import ModelTask
from utils.convert.types import ReferenceModel
from utils.host import environment
from utils.host.environments import PEFT
from utils.host.errors import SourceError
from utils.host.exceptions import explained
from utils.host.progress import note
from utils.sources.adapter import PREFIX
from utils.sources.tuned_model import TunedModel


def merge(tuned: TunedModel, base: Path, task: ModelTask) -> Path:
    """Writes the weights of the merged model, FP32, to `tuned.folder`, and returns it; `base` has the base's weights.

    SourceError (exit 3) if PEFT cannot load or merge the adapter, or tensors of it or of the model are missing.
    """
    model = unmerged(tuned, base, task)
    with _explained(tuned, "merge"):
        merged = model.merge_and_unload(safe_merge=True)
        with tempfile.TemporaryDirectory(dir=tuned.folder) as place:
            merged.save_pretrained(place)
            for file in Path(place).glob("*.safetensors*"):  # the weights, and the index of several files
                file.replace(tuned.folder / file.name)
    note(f"{tuned.adapter.kind} adapter merged into its base in FP32: {len(tuned.shapes)} tensors")
    return tuned.folder


def unmerged(tuned: TunedModel, base: Path, task: ModelTask) -> Any:
    """The base in FP32 with the adapter on it: a PeftModel in evaluation mode. SourceError as above."""
    # Loaded by transformers alone: it must not look for adapters itself.
    model = reference_model.load_model(
        base, reference_model.load_config(tuned.folder), task, from_elsewhere=tuned.shapes.keys()
    )
    environment.open_packages(PEFT)
    with _explained(tuned, "load"):
        import peft

        folder = str(tuned.adapter.folder)
        config = peft.PeftConfig.from_pretrained(folder)
        config.inference_mode = True
        of_base = set(model.state_dict())
        adapted = peft.get_peft_model(model, config)
        found = adapted.load_adapter(folder, "default", torch_device="cpu")
        saved = set(peft.get_peft_model_state_dict(adapted, save_embedding_layers=False))
        _require_all(
            tuned,
            missing={name.removeprefix(PREFIX) for name in saved} - tuned.shapes.keys() - of_base,
            unexpected=set(found.unexpected_keys) - saved,
        )
    return adapted.eval()


def answers(tuned: TunedModel, base: Path, task: ModelTask, reference: ReferenceModel) -> list[dict[str, Any]]:
    """The unmerged model's outputs for the texts of the merged one, as `reference.outputs` has those."""
    model = unmerged(tuned, base, task).get_base_model()  # its layers hold the adapter; its signature is the base's
    return reference_model.outputs_of(reference, reference.texts, model=model)


def _require_all(tuned: TunedModel, *, missing: set[str], unexpected: set[str]) -> None:
    """SourceError for tensors that PEFT would ignore: it leaves an adapter's tensor that is missing as it begins."""
    for names, fault in ((missing, "lacks"), (unexpected, "has, for no module of its base,")):
        if names:
            raise SourceError(
                f"the adapter in {str(tuned.adapter.folder)!r} {fault} {', '.join(sorted(names)[:4])}; its weights and "
                f"its config belong to different adapters, or it is for another base than {str(tuned.base)!r}: copy "
                "both files again, or give the base that it was trained on"
            )


def _explained(tuned: TunedModel, action: str) -> AbstractContextManager[None]:
    """Whatever PEFT raises becomes a SourceError that names the adapter, the action and the reason."""
    return explained(
        SourceError,
        lambda reason: (
            f"PEFT cannot {action} the adapter in {str(tuned.adapter.folder)!r} ({reason}); give the base that it was "
            "trained on, or save it again with the PEFT that trained it"
        ),
        named=True,
    )

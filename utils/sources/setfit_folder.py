"""What a SetFit folder changes in the checks of a model: its weights are an embedder's, its labels the head's."""

from dataclasses import replace
from pathlib import Path

from utils.host.errors import ExportError
from utils.sources.labels import Labels, labels_of_config, labels_of_setfit
from utils.sources.model_config import ModelConfig
from utils.sources.requirements import SourceRequirements
from utils.sources.sentence_folder import root_of
from utils.sources.setfit_head import CONFIG, PICKLED, SAFE, is_setfit, read_setfit
from utils.targets.exporters import OPTIMUM


def with_setfit(config: ModelConfig, folder: Path, requirements: SourceRequirements) -> ModelConfig:
    """`config` with the head of a SetFit folder; as it is for other folders and tasks. SourceError as read_setfit."""
    root = root_of(folder)
    if not requirements.setfit or not is_setfit(root):
        return config
    setfit = read_setfit(root, allow_pickle=requirements.allow_pickle)
    problem = "multi_label_classification" if setfit.head.is_multi_label else "single_label_classification"
    return replace(config, setfit=setfit, head_size=len(setfit.head.classes), problem_type=problem)


def with_exporter(config: ModelConfig, exporter: str) -> ModelConfig:
    """`config` with its exporter; ExportError for the body of a SetFit model that only the other exporter converts."""
    if config.setfit and exporter != OPTIMUM:
        raise ExportError(
            f"the exporter {exporter} does not convert SetFit models, and the body's model type {config.model_type!r} "
            "needs it; use a body of a type that the exporter optimum converts"
        )
    return replace(config, exporter=exporter)


def requirements_of(config: ModelConfig, requirements: SourceRequirements) -> SourceRequirements:
    """The requirements of the model's folder: SetFit's weights are those of an embedder."""
    return replace(requirements, export_task="feature-extraction", sentences=True) if config.setfit else requirements


def head_files(requirements: SourceRequirements) -> tuple[str, ...]:
    """The names of a SetFit folder's head, which is small and tells the number of labels."""
    pickled = (PICKLED,) if requirements.allow_pickle else ()
    return (SAFE, *pickled) if requirements.setfit else ()


def own_labels(config: ModelConfig, requirements: SourceRequirements) -> Labels:
    """The labels in the model's folder."""
    if config.setfit:
        return labels_of_setfit(config.setfit, root_of(config.file.parent) / CONFIG, requirements)
    return labels_of_config(config.file, head_size=config.head_size, requirements=requirements)

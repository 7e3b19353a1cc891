"""The size: of the weights by layer of the model, of the model repository, and of the image."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from utils.release.ingredients import REPOSITORY
from utils.report.section import Figure, Finished, Image
from utils.report.units import size
from utils.repository.pipeline import Step
from utils.repository.version_files import is_graph
from utils.targets.formats import FORMATS

# A model with more layers shows the largest ones.
SHOWN_GROUPS = 48
REST = "all others"


@dataclass(frozen=True, kw_only=True)
class Group:
    """Weights of one part of a model, such as `bert.encoder.layer.0`, in bytes."""

    name: str
    size: int


@dataclass(frozen=True, kw_only=True)
class Weights:
    """A graph and its weights. `size`: of the graph's file and its external data. `groups`: () for TorchScript."""

    model: str
    file: str
    size: int
    groups: tuple[Group, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Size:
    """`repository`: bytes of the whole model repository, all versions."""

    repository: int
    weights: tuple[Weights, ...]
    images: tuple[Image, ...] = ()


def make(finished: Finished) -> Size:
    """From the files of the tree."""
    repository = finished.tree / REPOSITORY
    return Size(
        repository=sum(file.stat().st_size for file in repository.rglob("*") if file.is_file()),
        weights=tuple(each for step in finished.context.pipeline.steps for each in _weights(repository, step)),
        images=finished.images,
    )


def _weights(repository: Path, step: Step) -> Iterator[Weights]:
    from utils.report.graph_size import bytes_by_layer

    folder = repository / step.model_name / str(step.version)
    for name in step.files:
        file = folder / name
        if is_graph(file) and file.is_file():
            groups = bytes_by_layer(file) if name == FORMATS["onnx"].file else {}
            beside = sum((folder / each).stat().st_size for each in step.files if each.startswith(f"{name}_"))
            yield Weights(model=step.model_name, file=name, size=file.stat().st_size + beside, groups=_largest(groups))


def _largest(groups: Mapping[str, int]) -> tuple[Group, ...]:
    """In the order of the graph; what is not among the largest is one group at the end."""
    kept = sorted(groups, key=lambda name: -groups[name])[:SHOWN_GROUPS]
    shown = [Group(name=name, size=size) for name, size in groups.items() if name in kept]
    rest = sum(groups.values()) - sum(group.size for group in shown)
    return (*shown, *([Group(name=REST, size=rest)] if rest else []))


def figures(sizes: Size) -> Sequence[Figure]:
    """Of the image, else of the weights."""
    if sizes.images:
        return tuple(
            Figure(label="Image", value=size(each.size), note=each.platform if len(sizes.images) > 1 else "all layers")
            for each in sizes.images
        )
    return (Figure(label="Model repository", value=size(sizes.repository), note="weights and code"),)

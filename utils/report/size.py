"""The size: of the weights by layer of the model, of the model repository, and of the image."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from utils.release.ingredients import REPOSITORY, TOKENIZER_FILE
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
    """A graph and its weights. `size`: of its file and those beside it. `groups`: () for TorchScript."""

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
    files = [folder / name for name in step.files if name != TOKENIZER_FILE]
    for file in (each for each in files if is_graph(each) and each.is_file()):
        groups = bytes_by_layer(file) if file.name == FORMATS["onnx"].file else {}
        count = sum(each.stat().st_size for each in files if each.is_file())
        yield Weights(model=step.model_name, file=file.name, size=count, groups=_largest(groups))


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

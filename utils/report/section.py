"""What a section of the report is made of, and what it is made from."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from utils.proof.golden import GoldenAnswers
from utils.proof.measured import Measured
from utils.proof.served import ServedRow
from utils.repository.context import Context

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Layer:
    """A layer of an image: the instruction that made it, and its bytes."""

    made_by: str
    size: int


@dataclass(frozen=True, kw_only=True)
class Image:
    """A built image. `size`: bytes of all layers; `layers`: the lowest first."""

    platform: str
    id: str
    size: int = 0
    layers: tuple[Layer, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Finished:
    """All that is known at the end of a build; `place`: the folder that the tree is moved to.

    `image` and `reference` are the image's name and, of a pushed one, `registry/name@sha256:...`. `record` is
    build.json. `served` are the server's answers to the rows of `golden`; () without a proof.
    """

    tree: Path
    place: Path
    context: Context
    golden: GoldenAnswers
    image: str = ""
    images: tuple[Image, ...] = ()
    reference: str = ""
    record: Mapping[str, Any] = field(default_factory=dict)
    served: tuple[ServedRow, ...] = ()
    measured: Measured = field(default_factory=Measured)


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A number at the top of the page: `value` in the reader's units, such as "12.3 ms"."""

    label: str
    value: str
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Section(Generic[T]):
    """A section of the report: a row of SECTIONS (sections.py), whose docstring says how one is added.

    `name`: the key in report.json, the anchor in the page, and the template `templates/NAME.html`. `make`: its value,
    a dataclass of type `kind`; None leaves the section out. `figures`: the numbers of it at the top of the page.
    `plots`: {name: SVG} by utils/report/plots.py, drawn from the value alone. `card`:
    entries of the model card's front matter.
    """

    name: str
    title: str
    kind: type[T]
    make: Callable[[Finished], T | None]
    figures: Callable[[T], Sequence[Figure]] = lambda _: ()
    plots: Callable[[T], Mapping[str, str]] = lambda _: {}
    card: Callable[[T], Mapping[str, Any]] = lambda _: {}

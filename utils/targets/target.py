"""What a build is made for: a Triton release, a device, an engine and a form of the graph."""

from dataclasses import dataclass, field

from utils.targets.engines import DEFAULT_ENGINE, ENGINES, Engine
from utils.targets.formats import GraphForm
from utils.targets.precisions import DEFAULT_PRECISION, Reduction
from utils.targets.releases import Release
from utils.targets.runtimes import DEFAULT_DEVICE, RUNTIMES
from utils.targets.tuning import Tuning


@dataclass(frozen=True, kw_only=True)
class Target:
    """The choices of the tables in this package.

    `release_reason`: why a GPU or its driver led to this release; "" where it did not. `max_length`: the limit of a
    text in tokens, None for the model's own. `base_image` replaces NVIDIA's image, `slim_image` the base of a CPU
    image. `gpus`: the numbers of the GPUs that run the graph, () for all.
    """

    release: Release
    release_reason: str = ""
    device: str = DEFAULT_DEVICE
    engine: Engine = ENGINES[DEFAULT_ENGINE]
    form: GraphForm = field(default_factory=GraphForm)
    max_length: int | None = None
    reduction: Reduction = field(default_factory=Reduction)
    tuning: Tuning = field(default_factory=Tuning)
    gpus: tuple[int, ...] = ()
    base_image: str | None = None
    slim_image: str | None = None

    @property
    def agrees_where_served(self) -> bool:
        """Whether a server measures the agreement of the precision: its device is not the one that measured it here."""
        return self.reduction.precision.name != DEFAULT_PRECISION and RUNTIMES[self.device].needs_driver

    @property
    def triton_image(self) -> str:
        """The image that Triton is taken from."""
        return self.base_image or self.release.triton_image

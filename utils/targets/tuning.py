"""The tuning options of a served model: one row each. Standard library only."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from utils.host.errors import UsageError
from utils.host.numbers import whole_number


@dataclass(frozen=True, kw_only=True)
class Knob:
    """One option, a whole number from `least` to `most`.

    `only`: {"layout", "device" or "format": values for which it has an effect}; a missing key means all values.
    `batches`: it has no effect on a model that takes one row at a time.
    """

    name: str
    metavar: str
    help: str
    most: int
    least: int = 1
    only: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    batches: bool = False

    @property
    def option(self) -> str:
        """The option on the command line."""
        return f"--{self.name.replace('_', '-')}"

    def fits(self, **built: str) -> bool:
        """Whether it has an effect on a build with this layout, device and format."""
        return all(built[choice] in fitting for choice, fitting in self.only.items())


KNOBS = {
    row.name: row
    for row in (
        Knob(
            name="threads",
            metavar="N",
            help="threads of a graph on a CPU (default: one for each CPU)",
            most=1024,
            only={"device": ("cpu",), "format": ("onnx",)},
        ),
        Knob(
            name="instances",
            metavar="N",
            help="copies of a graph on the CPU or each GPU, each with its own weights (default: 1; fused: by CPUs)",
            most=64,
        ),
        Knob(
            name="token_budget",
            metavar="TOKENS",
            help="most tokens in a run of the graph, with padding; --layout fused (default: 256)",
            most=1_000_000,
            only={"layout": ("fused",)},
        ),
        Knob(
            name="batch_delay",
            metavar="MICROSECONDS",
            help="longest wait for requests that share a run (default: 0; a bare graph may have none: docs/graphs.md)",
            most=1_000_000,  # the queue drops a request after 10 s, and the canary waits like everybody
            least=0,
            batches=True,
        ),
    )
}


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """One value per row of KNOBS; None: the default."""

    threads: int | None = None
    instances: int | None = None
    token_budget: int | None = None
    batch_delay: int | None = None

    @property
    def values(self) -> dict[str, int]:
        """Those that differ from the default, by name."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def parse_tuning(texts: Mapping[str, str], *, max_batch_size: int, **built: str) -> Tuning:
    """The values of KNOBS; UsageError for a bad number, and for an option without effect on this build."""
    rows = [row for name, row in KNOBS.items() if name in texts]
    for row in rows:
        for choice, fitting in row.only.items():
            if built[choice] not in fitting:
                raise UsageError(
                    f"{row.option} {texts[row.name]} has no effect with --{choice} {built[choice]}; leave it out, or "
                    f"build with --{choice} {' or '.join(fitting)}"
                )
        if row.batches and max_batch_size == 1:
            raise UsageError(
                f"{row.option} {texts[row.name]} has no effect with MAX_BATCH_SIZE 1: no two texts share a run; leave "
                "it out, or use a larger MAX_BATCH_SIZE"
            )
    return Tuning(
        **{row.name: whole_number(row.option, texts[row.name], least=row.least, most=row.most) for row in rows}
    )

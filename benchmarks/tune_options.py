"""The command line of benchmarks/tune.sh."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from utils.host import entry
from utils.host.build_tree import BUILD
from utils.host.errors import UsageError
from utils.host.numbers import whole_number
from utils.repository import names
from utils.targets.tuning import KNOBS


@dataclass(frozen=True, kw_only=True)
class Options:
    """`only`: knobs to try, () for all. `clients`: numbers of them, one load each, of so many `seconds`."""

    name: str
    tag: str
    only: tuple[str, ...]
    clients: tuple[int, ...]
    texts: Path | None
    minutes: int
    rounds: int
    seconds: int
    out: Path

    @property
    def tree(self) -> Path:
        """What is tuned."""
        return BUILD / self.name / self.tag


def parse_arguments(argv: Sequence[str]) -> Options:
    """UsageError for anything wrong in them."""
    parser = entry.Parser(
        prog="benchmarks/tune.sh",
        description="Tries threads, instances, token budget and batch delay on build/NAME/TAG and writes those that "
        "make it faster to a YAML file that ./make_triton_image.sh takes as --config.",
        epilog="example: benchmarks/tune.sh topics v1 --texts my_texts.txt --clients 16",
    )
    parser.add_argument("name", metavar="NAME", help="the model name of a finished build")
    parser.add_argument("tag", metavar="TAG", nargs="?", default="latest", help="its tag (default: latest)")
    parser.add_argument("--only", metavar="NAME,NAME", help=f"of {','.join(KNOBS)} (default: all that have an effect)")
    parser.add_argument("--clients", metavar="N,N", default="32,1", help="loads to be fast under (default: 32,1)")
    parser.add_argument("--texts", metavar="FILE", type=Path, help="texts to send, one a line (default: made up)")
    parser.add_argument("--minutes", metavar="N", default="15", help="take about so long at most (default: 15)")
    parser.add_argument("--rounds", metavar="N", default="3", help="measure every setting so often (default: 3)")
    parser.add_argument("--seconds", metavar="N", default="3", help="length of each load (default: 3)")
    parser.add_argument("--out", metavar="FILE.yaml", type=Path, help="(default: build/NAME/TAG.tuned.yaml)")
    options = parser.parse_args(argv)
    name, tag = names.check_model_name(options.name), names.check_tag(options.tag)
    return Options(
        name=name,
        tag=tag,
        only=_knobs(options.only),
        clients=tuple(whole_number("--clients", each, most=1024) for each in options.clients.split(",")),
        texts=options.texts,
        minutes=whole_number("--minutes", options.minutes, most=1440),
        rounds=whole_number("--rounds", options.rounds, most=100),
        seconds=whole_number("--seconds", options.seconds, most=600),
        out=options.out or BUILD / name / f"{tag}.tuned.yaml",
    )


def _knobs(text: str | None) -> tuple[str, ...]:
    """As they are called in a YAML file, or as options."""
    if text is None:
        return ()
    chosen = tuple(name.replace("-", "_") for name in text.split(","))
    for name in chosen:
        if name not in KNOBS:
            raise UsageError(f"--only {name!r} is not known; choose from: {', '.join(KNOBS)}")
    return chosen

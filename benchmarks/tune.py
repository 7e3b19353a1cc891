"""Finds the options of speed that suit a built model repository on this machine: `benchmarks/tune.sh --help`.

Each setting is rendered from the build's own context.json and served by the Triton from PyPI, one at a time.
"""

import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.closed_loop import Figures, Requests, ask, requests_to
from benchmarks.contest import Contest, Setting, as_table, changed, contest, descend, measurements, say
from benchmarks.knobs import start_of, worth_trying
from benchmarks.tune_options import Options, parse_arguments
from utils.host import entry, environment
from utils.host.build_tree import locked, open_build_tree
from utils.host.errors import UsageError
from utils.host.progress import note
from utils.repository.assemble import assemble
from utils.repository.context import CONTEXT_FILE, GOLDEN_FILE, Context, read_context
from utils.repository.tuned import tuned
from utils.targets.tuning import Tuning
from utils.triton.server import environment_for, serve


@dataclass(kw_only=True)
class Bench:
    """Serves the build as a setting wants it and asks it; knows how long that takes."""

    context: Context
    requests: Requests
    options: Options
    start: Setting
    folder: Path
    deadline: float
    longest: float = 0.0

    def measure(self, setting: Setting) -> Sequence[Figures]:
        """One for each number of clients. BootProofError when it cannot be served so."""
        began = time.monotonic()
        tuning = Tuning(**changed(self.start, setting))
        model, seconds = self.context.pipeline.model_name, self.options.seconds
        with tempfile.TemporaryDirectory(dir=self.folder) as place:
            repository = assemble(tuned(self.context.pipeline, tuning), Path(place, "model_repository"))
            with serve(repository) as server:
                figures = [
                    ask(server, model, self.requests, clients=clients, seconds=seconds)
                    for clients in self.options.clients
                ]
        self.longest = max(self.longest, time.monotonic() - began)
        return figures

    def fits(self, count: int) -> bool:
        """Is there time for so many measurements?"""
        return time.monotonic() + count * self.longest <= self.deadline

    def show(self, what: str, held: Contest) -> None:
        """On stderr: stdout is for the result."""
        print(as_table(what, held, self.options.clients), file=sys.stderr, flush=True)


def tune(argv: Sequence[str]) -> str:
    """The path of the YAML file; "" where the build is as fast as any other setting that was tried."""
    options = parse_arguments(argv)
    if not (options.tree / CONTEXT_FILE).is_file():
        raise UsageError(
            f"there is no finished build {str(options.tree)!r}; name one, or build it with ./make_triton_image.sh "
            f"MODEL TOKENIZER ID2LABEL {options.name} {options.tag} --no-image"
        )
    context = read_context(options.tree / CONTEXT_FILE)
    if context.device != "cpu":
        raise UsageError(
            f"{str(options.tree)!r} is for --device {context.device}, and the Triton that serves here is for the CPU; "
            "build with --instances and --batch-delay of your choice and compare the images on such a device"
        )
    requests = requests_to(context.pipeline, options.tree / GOLDEN_FILE, options.texts)
    start, built = start_of(context)
    environment.ensure(environment_for(options.tree / "model_repository"))
    with locked(options.tree), open_build_tree(options.name, options.tag) as tree:
        bench = Bench(
            context=context,
            requests=requests,
            options=options,
            start=start,
            folder=tree.folder,
            deadline=time.monotonic() + 60 * options.minutes,
        )
        found = _search(bench)
    if not found:
        note("no setting is faster by more than the noise: the build is best as it is")
        return ""
    values = {**built, **found}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text("".join(f"{name}: {value}\n" for name, value in values.items()), encoding="utf-8")
    note(f"build with: ./make_triton_image.sh MODEL TOKENIZER ID2LABEL ... --config {options.out}")
    return str(options.out)


def _search(bench: Bench) -> Setting:
    """What to change; nothing where the best found does not win once more, against the build itself."""
    options = bench.options
    note(f"{bench.requests.what}, {options.rounds} rounds of {options.seconds} s; the build has {say(bench.start)}")
    bench.measure(bench.start)  # the first one fills the file cache, and shows how long one takes
    knobs = worth_trying(bench.start, options.only)
    found = descend(bench.start, knobs, bench.measure, rounds=options.rounds, fits=bench.fits, show=bench.show)
    if not found.tried:
        raise UsageError(
            f"--minutes {options.minutes} is too short to try anything: a measurement takes {bench.longest:.0f} s, and "
            f"{options.rounds} rounds of one setting take {measurements(2, options.rounds)}; raise it, or lower "
            "--rounds or --seconds"
        )
    if found.untried:
        note(f"no time for {', '.join(found.untried)}: raise --minutes, now {options.minutes}")
    if found.best == bench.start:
        return {}
    final = contest(bench.start, [found.best], bench.measure, options.rounds)
    bench.show("all together", final)
    return changed(bench.start, found.best) if final.winner else {}


if __name__ == "__main__":
    entry.run(lambda: tune(sys.argv[1:]))

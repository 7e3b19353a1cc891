"""More instances of a fused model on many CPUs.

An instance is one process. Its Python code and its exchange with Triton use one CPU at a time, so one instance cannot
keep many CPUs busy (docs/performance.md: many CPUs). Triton reads the number of instances from config.pbtxt, and the
repository of an image is read-only: it is served from a folder of links, with other config.pbtxt files.
"""

import os
import re
from collections.abc import Sequence

from .container_limits import cpu_count, memory_bytes
from .errors import SettingError
from .log import log

NAME = "TRITON_INSTANCES"
CPUS_EACH, MOST = 8, 64
# Each instance loads the weights twice; all of them may take this share of the container's memory.
COPIES, MEMORY_SHARE = 2, 0.5
# A config.pbtxt with this parameter leaves the number to the server's start (model_repository/fused).
AUTOMATIC = re.compile(r'parameters \{ key: "instances" value \{ string_value: "auto" \} \}')
COUNT = re.compile(r"(instance_group \[ \{ count: )1( )")


class Instances:
    """`repositories` to serve in place of those given; `setting` 0: chosen from the CPUs and the memory.

    Raises SettingError for a number that no model of the repositories leaves open.
    """

    def __init__(self, repositories: Sequence[str], setting: int) -> None:
        self._folder = f"/tmp/triton-models-{os.getpid()}"
        self.close()  # a killed supervisor leaves it, and the next one in the container has the same process id
        self.repositories = list(repositories)
        models = {place: _automatic(each) for place, each in enumerate(repositories) if "://" not in each}
        if setting and not any(models.values()):
            raise SettingError(
                f"{NAME} is {setting}, but no model leaves the number of its instances open; build with --layout fused "
                f"and without --instances, or unset {NAME}"
            )
        for place, names in models.items():
            counts = {name: setting or _number(os.path.join(repositories[place], name)) for name in names}  # noqa: PTH118
            counts = {name: count for name, count in counts.items() if count > 1}
            if counts:
                self._link(place, counts)

    def _link(self, place: int, counts: dict[str, int]) -> None:
        try:
            self.repositories[place] = _linked(self.repositories[place], counts, f"{self._folder}/{place}")
        except OSError as error:
            log(f"one instance of each model, because {self._folder} cannot be written ({error})", "warning")
            return
        for name, count in counts.items():
            log(f"model {name}: {count} instances for {cpu_count()} CPUs ({NAME})")

    def close(self) -> None:
        """Removes the folder of links."""
        if os.path.isdir(self._folder):  # noqa: PTH112
            import shutil  # takes 10 ms, and most servers have no folder

            shutil.rmtree(self._folder, ignore_errors=True)


def _automatic(repository: str) -> list[str]:
    """The models of a folder whose number of instances is open."""
    if not os.path.isdir(repository):  # noqa: PTH112 - pathlib costs 10 ms of every start
        return []
    return [name for name in sorted(os.listdir(repository)) if AUTOMATIC.search(config_of(repository, name))]  # noqa: PTH208


def config_of(repository: str, model: str) -> str:
    """The text of a model's config.pbtxt; "" if it cannot be read."""
    try:
        with open(os.path.join(repository, model, "config.pbtxt"), encoding="utf-8") as file:  # noqa: PTH118, PTH123
            return file.read()
    except (OSError, UnicodeDecodeError):  # Triton reports it
        return ""


def _number(model: str) -> int:
    """One for each CPUS_EACH CPUs, fewer if the weights take too much memory."""
    versions = [os.path.join(model, version) for version in os.listdir(model) if version.isdigit()]  # noqa: PTH118, PTH208
    largest = max(map(_weights, versions), default=0)
    fitting = int(MEMORY_SHARE * memory_bytes() // (COPIES * largest)) if largest else 1
    return max(1, min(cpu_count() // CPUS_EACH, fitting, MOST))


def _weights(version: str) -> int:
    """Bytes of the graph and of the weights beside it."""
    with os.scandir(version) as entries:
        return sum(entry.stat().st_size for entry in entries if entry.name.startswith("model.onnx"))


def _linked(repository: str, counts: dict[str, int], folder: str) -> str:
    """`folder`, made of links to the entries of `repository`; the config.pbtxt of `counts` get their number."""
    for name in os.listdir(repository):  # noqa: PTH208
        source, target = os.path.abspath(os.path.join(repository, name)), f"{folder}/{name}"  # noqa: PTH100, PTH118
        os.makedirs(target if name in counts else folder, exist_ok=True)  # noqa: PTH103
        if name not in counts:
            os.symlink(source, target)  # noqa: PTH211
            continue
        for entry in os.listdir(source):  # noqa: PTH208
            if entry != "config.pbtxt":
                os.symlink(f"{source}/{entry}", f"{target}/{entry}")  # noqa: PTH211
        with open(f"{target}/config.pbtxt", "w", encoding="utf-8") as file:  # noqa: PTH123
            file.write(COUNT.sub(rf"\g<1>{counts[name]}\g<2>", config_of(repository, name)))
    return folder

"""Finds the folder of a model among the names of its files, before any is fetched."""

from collections.abc import Iterable
from pathlib import PurePosixPath

from utils.host.errors import SourceError

# The folder of a model, a tokenizer or a label map has one of these.
CONTENTS = ("config.json", "modules.json", "tokenizer.json", "tokenizer_config.json", "id2label.json", "labels.json")


def held_below(names: Iterable[str], reference: str) -> str:
    """The folder with the files as a prefix, "model/" or "": stores often keep its parent folders.

    The one nearest to the root counts. SourceError if there are several.
    """
    folders = {PurePosixPath(name).parent for name in names if PurePosixPath(name).name in CONTENTS}
    least = min((len(folder.parts) for folder in folders), default=0)
    nearest = sorted(folder.as_posix() for folder in folders if len(folder.parts) == least)
    if len(nearest) > 1:
        raise SourceError(
            f"{reference} has model files in several folders ({', '.join(nearest)}); store one model in each"
        )
    return f"{nearest[0]}/" if least else ""

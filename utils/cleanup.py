"""Removes build trees this project made, and nothing else. Standard library only: it works in a broken checkout."""

import sys
from pathlib import Path

from utils.host import cache_folder, entry
from utils.host.build_tree import BUILD, SENTINEL, UNFINISHED, WORK, is_running, remove
from utils.host.errors import UsageError


def clean(arguments: list[str]) -> str:
    """Removes the trees of NAME and TAG (all of them without); returns one line a tree removed."""
    parser = entry.Parser(
        prog="cleanup.sh",
        description="Removes build trees below build/ that this project made, and nothing else; images stay.",
        epilog="example: ./cleanup.sh topics v1",
    )
    parser.add_argument("name", metavar="NAME", nargs="?", help="only builds of this model name")
    parser.add_argument("tag", metavar="TAG", nargs="?", help="only this tag of it")
    parser.add_argument("--cache", action="store_true", help="empty the cache that builds share, and touch no tree")
    wanted = parser.parse_args(arguments)
    if wanted.cache:
        if wanted.name:
            raise UsageError(f"--cache is of all builds, not of {wanted.name!r}; leave one of them out")
        return f"removed {cache_folder.empty() / 1e6:.0f} MB of kept graphs and wheels"
    trees = [tree for tree in _trees() if _matches(tree, wanted.name, wanted.tag)]
    if wanted.name and not trees:
        what = ":".join(part for part in (wanted.name, wanted.tag) if part)
        raise UsageError(f"there is no build of {what!r} below {str(BUILD)!r}; nothing was removed")
    lines = []
    for tree in trees:
        if is_running(tree):
            lines.append(f"left {tree.relative_to(BUILD.parent)}: a build is running in it")
            continue
        remove(tree)
        lines.append(f"removed {tree.relative_to(BUILD.parent)}")
    return "\n".join(lines) or "nothing to remove"


def _trees() -> list[Path]:
    """Every folder of ours: finished, unfinished and left by dead builds."""
    places = ("*/*", f"{UNFINISHED}/*/*", f"{WORK}/*")
    folders = {path.parent for place in places for path in BUILD.glob(f"{place}/{SENTINEL}")}
    return sorted(folder for folder in folders if not _is_behind_a_link(folder))


def _is_behind_a_link(folder: Path) -> bool:
    return any(place.is_symlink() for place in (folder, *folder.parents) if BUILD in place.parents)


def _matches(tree: Path, name: str | None, tag: str | None) -> bool:
    if tree.parent.name == WORK:
        return name is None
    return (name is None or tree.parent.name == name) and (tag is None or tree.name == tag)


if __name__ == "__main__":
    entry.run(lambda: clean(sys.argv[1:]))

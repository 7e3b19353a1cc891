"""Removes build trees of this project, and nothing else. Standard library only: it works in a broken checkout."""

import sys
from pathlib import Path

from utils.host import cache_folder, entry
from utils.host.build_tree import BUILD, SENTINEL, UNFINISHED, WORK, is_running, remove
from utils.host.errors import UsageError


def clean(arguments: list[str]) -> str:
    """Removes the build trees of NAME and TAG (all trees without NAME); returns one line per tree."""
    parser = entry.Parser(
        prog="cleanup.sh",
        description="Removes build trees of this project below build/, and nothing else; images stay.",
        epilog="example: ./cleanup.sh topics v1",
    )
    parser.add_argument("name", metavar="NAME", nargs="?", help="only builds of this model name")
    parser.add_argument("tag", metavar="TAG", nargs="?", help="only this tag of it")
    parser.add_argument("--cache", action="store_true", help="empty the cache of all builds and keep the trees")
    options = parser.parse_args(arguments)
    if options.cache:
        if options.name:
            raise UsageError(f"--cache empties the cache of all builds; remove --cache or {options.name!r}")
        return f"removed {cache_folder.empty() / 1e6:.0f} MB of cached graphs and wheels"
    trees = [tree for tree in _trees() if _matches(tree, options.name, options.tag)]
    if options.name and not trees:
        what = ":".join(part for part in (options.name, options.tag) if part)
        raise UsageError(f"there is no build of {what!r} below {str(BUILD)!r}; nothing was removed")
    lines = []
    for tree in trees:
        if is_running(tree):
            lines.append(f"kept {tree.relative_to(BUILD.parent)}: a build is running in it")
            continue
        remove(tree)
        lines.append(f"removed {tree.relative_to(BUILD.parent)}")
    return "\n".join(lines) or "nothing to remove"


def _trees() -> list[Path]:
    """All trees of this project: finished, unfinished, and of killed builds."""
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

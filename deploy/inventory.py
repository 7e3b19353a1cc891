"""Lists the libraries and programs of an image, each with its owner: a package, a wheel, Triton, or a folder.

`inventory.py` lists the running image. `inventory.py ROOT COPIES` runs in the Triton image, which ROOT was filled from,
and asks its dpkg. COPIES has a line `PATH<tab>SOURCE` for each file of ROOT that lies elsewhere in the Triton image.

Prints a JSON list of owners: {"kind", "name", "version", ..., "files": [{"path", "copied_from", "sha256"}]}. Owners of
files that were copied out of the Triton image have {"from": "triton"}. A file of a package has no sha256: the package's
version identifies it. Standard library only; dpkg-query where the image has it.
"""

import csv
import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

TRITON = Path("/opt/tritonserver")
# What the Triton image owned of the files that were copied out of it.
COPIED = Path("/opt/serving/base_files.json")
SKIPPED = ("/proc", "/sys", "/dev")
LIBRARY = re.compile(r"\.so(\.[0-9]+)*$")
FIELDS = {
    "name": "Package",
    "version": "Version",
    "architecture": "Architecture",
    "source": "source:Package",
    "source_version": "source:Version",
}
AT_ONCE = 500  # arguments of one dpkg-query

Owner = dict[str, str]
Entry = dict[str, str]


def main(root: str = "", copies: str = "") -> None:
    """Prints the owners as JSON."""
    owners = _of_copies(Path(root), Path(copies)) if root else _of_image()
    print(json.dumps(owners.listed(), indent=1))


class Owners:
    """Owners, each with its files."""

    def __init__(self) -> None:
        self._files: dict[tuple[tuple[str, str], ...], list[Entry]] = {}

    def add(self, owner: Owner, *entries: Entry) -> None:
        """Adds an owner, and files of it."""
        self._files.setdefault(tuple(sorted(owner.items())), []).extend(entries)

    def listed(self) -> list[dict[str, object]]:
        """The owners and files, sorted."""
        return [
            {**dict(owner), "files": sorted(entries, key=lambda entry: entry["path"])}
            for owner, entries in sorted(self._files.items())
        ]


def _of_copies(root: Path, copies: Path) -> Owners:
    moved = dict(line.split("\t") for line in copies.read_text().splitlines())
    paths = {f"/{path.relative_to(root)}": path for path in _files(root) if path.suffix != ".pyc"}
    sources = {name: Path(moved.get(name, name)).resolve() for name in paths}
    owner_of = _owners_of(list(sources.values()), {})
    owners = Owners()
    for name, source in sources.items():
        owner, path = owner_of(source), paths[name]
        copied = {"copied_from": str(source)} if str(source) != name else {}
        owners.add(owner, *([_entry(owner, name, path) | copied] if _is_binary(path) else []))
    return owners


def _of_image() -> Owners:
    owners, copied = Owners(), set()
    for owner in json.loads(COPIED.read_text()) if COPIED.is_file() else []:
        entries = owner.pop("files")
        owners.add({"from": "triton", **owner}, *entries)
        copied |= {entry["path"] for entry in entries}
    files = _files(Path("/"))
    binaries = [path for path in files if str(path) not in copied and _is_binary(path)]
    owner_of = _owners_of([path.resolve() for path in binaries], _wheels(files))
    for package in _packages().values():
        owners.add(package)
    for path in binaries:
        owner = owner_of(path.resolve())
        owners.add(owner, _entry(owner, str(path), path))
    return owners


def _files(root: Path) -> list[Path]:
    found = []
    for folder, folders, files in os.walk(root):
        place = Path(folder)
        folders[:] = [each for each in folders if str(place / each) not in SKIPPED]
        found += [path for path in map(place.joinpath, files) if path.is_file() and not path.is_symlink()]
    return found


def _is_binary(path: Path) -> bool:
    if LIBRARY.search(path.name) or not path.stat().st_mode & 0o111:
        return bool(LIBRARY.search(path.name))
    with path.open("rb") as stream:
        return stream.read(4) == b"\x7fELF"


def _entry(owner: Owner, name: str, path: Path) -> Entry:
    return {"path": name, **({} if owner["kind"] == "deb" else {"sha256": _digest(path)})}


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        for block in iter(lambda: stream.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def _owners_of(paths: Sequence[Path], wheels: Mapping[Path, Owner]) -> Callable[[Path], Owner]:
    packages, found = _packages(), _search([str(path) for path in paths])
    return lambda path: packages.get(found.get(str(path), "")) or wheels.get(path) or _by_folder(path)


def _dpkg(*arguments: str) -> list[str]:
    """The lines of dpkg-query; none if the image has no dpkg."""
    try:
        done = subprocess.run(["dpkg-query", *arguments], capture_output=True, text=True, errors="replace")
    except FileNotFoundError:
        return []
    return done.stdout.splitlines()


def _packages() -> dict[str, Owner]:
    """{name, and name:architecture: package}."""
    columns = "".join(f"\\t${{{each}}}" for each in FIELDS.values())
    found: dict[str, Owner] = {}
    for line in _dpkg("--show", f"--showformat=${{db:Status-Status}}{columns}\\n"):
        status, *values = line.split("\t")
        if status == "installed":
            package = {"kind": "deb", "distribution": _distribution(), **dict(zip(FIELDS, values, strict=True))}
            found[f"{package['name']}:{package['architecture']}"] = found[package["name"]] = package
    return found


def _distribution() -> str:
    """Like "debian-12"."""
    file = Path("/etc/os-release")
    values = dict(re.findall(r'(?m)^(ID|VERSION_ID)="?([^"\n]*)"?$', file.read_text() if file.is_file() else ""))
    return "-".join(filter(None, [values.get("ID", ""), values.get("VERSION_ID", "")]))


def _search(paths: Sequence[str]) -> dict[str, str]:
    """{path: package}. dpkg may know a file of /usr/lib by its name in /lib, which is a link to that folder."""
    spellings = {spelling: path for path in paths for spelling in (path, re.sub("^/usr/", "/", path))}
    searched, found = list(spellings), {}
    for start in range(0, len(searched), AT_ONCE):
        for line in _dpkg("--search", *searched[start : start + AT_ONCE]):
            names, _, path = line.rpartition(": ")
            if path in spellings and not names.startswith("diversion by"):
                found[spellings[path]] = names.split(", ")[0]
    return found


def _wheels(files: Sequence[Path]) -> dict[Path, Owner]:
    """{path: wheel}, from the RECORD of each installed package."""
    found = {}
    for record in (path for path in files if path.match("*.dist-info/RECORD")):
        name, _, version = record.parent.name.removesuffix(".dist-info").rpartition("-")
        with record.open(newline="", encoding="utf-8") as stream:
            for row in filter(None, csv.reader(stream)):
                found[(record.parent.parent / row[0]).resolve()] = {"kind": "pypi", "name": name, "version": version}
    return found


def _by_folder(path: Path) -> Owner:
    """The owner of a file without a package: Triton, else /opt/NAME or /usr/local/NAME, else the whole image ("/")."""
    if TRITON in path.parents:
        version = TRITON / "TRITON_VERSION"
        stated = version.read_text().strip() if version.is_file() else os.environ.get("TRITON_SERVER_VERSION", "")
        return {"kind": "triton", "name": "tritonserver", "version": stated}
    match = re.match(r"(?:/opt|/usr/local)/(?!(?:lib|bin|sbin|share|libexec)/)[^/]+(?=/)", str(path))
    return {"kind": "folder", "name": match[0] if match else "/"}


if __name__ == "__main__":
    main(*sys.argv[1:])

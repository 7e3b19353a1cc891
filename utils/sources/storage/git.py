"""git: a folder of model files in a git repository, `URL@REF` by https, ssh or from this machine.

The command-line client reads it, not a library: it has the user's credential helpers, ssh settings, proxies and
certificates, and partial clones. Large files are those of git-lfs, by its own client. No work tree is checked out, so
no filter, hook or submodule of the repository runs.
"""

import re
import shutil
from pathlib import Path
from urllib.parse import urlsplit

from utils.host.errors import SourceError
from utils.sources.storage import matches
from utils.sources.storage.git_client import Git
from utils.sources.storage.git_errors import explained
from utils.sources.storage.git_lfs import Pointer, download, pointer_in

_SCP = re.compile(r"[\w.+-]+@[\w.-]+:(?!//)[^@]+(@.+)?", re.ASCII)
_REF = re.compile(r"[\w][\w./+#-]*", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def resolve(locator: str) -> str:
    """The commit that the branch, tag or commit names now; HEAD without one. Fetches nothing.

    A commit that is not the head of a branch or tag is looked up when it is fetched.
    """
    url, ref = _split(locator)
    git = Git(url)
    with explained(locator):
        listed = git.remote_refs()
    # An annotated tag is an object of its own; its commit has the suffix. git prefers tags to branches, too.
    names = (f"refs/tags/{ref}^{{}}", f"refs/tags/{ref}", f"refs/heads/{ref}", ref)
    commit = next((listed[name] for name in names if name in listed), None)
    if commit:
        return commit
    if not _COMMIT.fullmatch(ref):
        known = sorted(name.split("/", 2)[2] for name in listed if re.match(r"refs/(heads|tags)/[^^]+$", name))
        if not known:
            raise SourceError(f"git:{locator} has no branch and no tag; check that the address is a git repository's")
        raise SourceError(
            f"git:{locator} has no branch or tag {ref!r}; use one of {', '.join(known[:10])}, or all 40 digits of a "
            "commit"
        )
    return ref


def fetch(locator: str, revision: str, patterns: tuple[str, ...], destination: Path) -> Path:
    """The files of the commit that match. A partial clone below `destination` has what was fetched before."""
    url, _ = _split(locator)
    files = destination / "files"
    files.mkdir(parents=True, exist_ok=True)
    git = Git(url, destination / "repository")
    with explained(locator):
        git.fetch_commit(revision)
        wanted = {name: blob for name, blob in git.files(revision).items() if matches(name, patterns)}
        git.fetch_blobs(wanted.values(), revision)
        for name, blob in wanted.items():
            _write(git, name, blob, files / name, locator)
    return files


def _write(git: Git, name: str, blob: str, file: Path, locator: str) -> None:
    """Writes a file of the commit; of git-lfs, the content that the pointer names."""
    if file.is_file():
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_name(f"{file.name}.part")
    git.write(blob, unfinished)
    pointer = pointer_in(unfinished)
    if pointer:
        _download(git, pointer, unfinished, name, locator)
    unfinished.rename(file)


def _download(git: Git, pointer: Pointer, file: Path, name: str, locator: str) -> None:
    if not shutil.which("git-lfs"):
        raise SourceError(
            f"git:{locator} has {name!r} in git-lfs, which is not installed; install it (Debian: apt-get install "
            "git-lfs)"
        )
    download(git, pointer, file, name)


def _split(locator: str) -> tuple[str, str]:
    """(URL, ref). The ref follows the last `@` of the path, so a user in the address is none."""
    parts = urlsplit(locator)
    if _SCP.fullmatch(locator):  # git@host:path
        host, _, rest = locator.partition(":")
        path, _, ref = rest.partition("@")
        url = f"{host}:{path}"
    else:
        start = len(f"{parts.scheme}://{parts.netloc}")
        path, _, ref = locator[start:].rpartition("@") if "@" in locator[start:] else (locator[start:], "", "")
        url = f"{locator[:start]}{path}"
        plain = parts.scheme == "http" and parts.hostname in _LOOPBACK
        if (not plain and parts.scheme not in ("https", "ssh", "file")) or not path.strip("/"):
            raise SourceError(
                f"'git:{_shown(locator)}' is no repository; write git:https://host/path@ref, "
                "git:ssh://user@host/path@ref or git:user@host:path@ref"
            )
        if parts.password or (parts.scheme != "ssh" and parts.username):
            raise SourceError(
                f"'git:{_shown(locator)}' contains a login, which would be recorded with the revision; remove it and "
                "give git the login by a credential helper"
            )
    if ref and (not _REF.fullmatch(ref) or ".." in ref):
        raise SourceError(f"{ref!r} in 'git:{locator}' is no branch, tag or commit")
    return url, ref or "HEAD"


def _shown(locator: str) -> str:
    return re.sub(r"(?<=://)[^/@]*@", "", locator)

"""git: a folder of model files in a git repository, `URL@REF` by https, ssh or from this machine.

The command-line client reads it, not a library: it has the user's credential helpers, ssh settings, proxies and
certificates, and partial clones. Large files are those of git-lfs, by its own client. No work tree is checked out, so
no filter, hook or submodule of the repository runs.
"""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from utils.host.errors import SourceError
from utils.sources.storage import matches
from utils.sources.storage.git_client import Git, GitError, download, pointer_in

_SCP = re.compile(r"[\w.+-]+@[\w.-]+:(?!//)[^@]+(@.+)?", re.ASCII)
_REF = re.compile(r"[\w][\w./+#-]*", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
# {pattern in the text of git or git-lfs: what it means}, the first that matches. Sources: the messages of git 2.39,
# git-lfs 3.3 and OpenSSH 9.2.
_MEANINGS = {
    r"IDENTIFICATION HAS CHANGED": "the key of its server is not the one in known_hosts; ask the server's owner, then "
    "replace the key (ssh-keygen -R HOST, ssh-keyscan HOST)",
    r"Host key verification failed": "ssh does not know the key of its server; compare the key with the one that the "
    "server's owner publishes, then add it to ~/.ssh/known_hosts (ssh-keyscan HOST)",
    r"expected OID|corrupt|inflate": "the content of a file is not the one that the repository's digest names; repair "
    "the repository on its server",
    r"could not read (User|Pass)|Authentication failed|Authorization error|Permission denied|"
    r"terminal prompts disabled|error: 40[13]|HTTP 40[13]|authentication required": "git is not allowed to read it; "
    "give git a login that can (a credential helper, or an ssh key)",
    r"timed? ?out|too slow|i/o timeout": "its server does not answer; check the network",
    r"Could not resolve host|Failed to connect|Connection refused|unable to connect|No route to": "its server cannot "
    "be reached; check the address and the network",
    r"Object does not exist": "its server has no content for a file of git-lfs; push it again (git lfs push --all)",
    r"not our ref|expected 'packfile'|couldn't find remote ref|unadvertised object": "it has no such commit, or its "
    "server gives only branches and tags; use a branch or a tag",
    r"not found|does not exist|not appear to be a git repository|error: 404": "there is no repository at this address, "
    "or git is not allowed to see it; check the address and the login",
    r"disconnect|unexpected EOF|early EOF|hung up|transfer closed|bad line length": "the download was cut off; run the "
    "same command again",
    r"error: 5\d\d|HTTP 5\d\d": "its server failed; run the same command again later",
    r"certificate|SSL": "its certificate is not trusted; set GIT_SSL_CAINFO, or http.sslCAInfo of git, to the file of "
    "its authority",
}


def resolve(locator: str) -> str:
    """The commit that the branch, tag or commit names now; HEAD without one. Fetches nothing.

    A commit that is not the head of a branch or tag is looked up when it is fetched.
    """
    url, ref = _split(locator)
    git = Git(url)
    with _explained(locator):
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
    with _explained(locator):
        git.fetch_commit(revision)
        blobs = {name: blob for name, blob in git.files(revision).items() if matches(name, patterns)}
        git.fetch_blobs(blobs.values(), revision)
        for name, blob in blobs.items():
            _write(git, name, blob, files / name, locator)
    return files


def _write(git: Git, name: str, blob: str, file: Path, locator: str) -> None:
    if file.is_file():
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_name(f"{file.name}.part")
    with unfinished.open("wb") as stream:
        git.run("cat-file", "blob", blob, to=stream)
    if pointer := pointer_in(unfinished):
        download(git, pointer, unfinished, name, locator)
    unfinished.rename(file)


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


@contextlib.contextmanager
def _explained(locator: str) -> Iterator[None]:
    try:
        yield
    except GitError as error:
        text = str(error)
        meanings = (meaning for words, meaning in _MEANINGS.items() if re.search(words, text, re.IGNORECASE))
        reason = next((line for line in text.splitlines() if line.startswith("fatal: ")), "")
        shown = f" ({reason.removeprefix('fatal: ')[:200]})" if reason else ""
        sentence = next(meanings, "git could not read it; check the address, or run again with --debug")
        # The server's own lines may repeat the login, and --debug prints the chain.
        lines = [line for line in text.splitlines() if not line.startswith("remote: ")]
        raise SourceError(f"git:{locator}: {sentence}{shown}") from GitError("\n".join(lines))

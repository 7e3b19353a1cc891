"""The git command-line client: no prompt, no hook, no filter, only encrypted or local transports.

Of a file of git-lfs the repository has a pointer and a server the content. Source: git-lfs, docs/spec.md.
"""

import contextlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from utils.host import digest
from utils.host.errors import SourceError

# Variables that point git at another repository; a hook or an alias of git sets them.
_REPOSITORY = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR", "GIT_NAMESPACE")
# Traces write logins to stderr.
_OTHERS = ("GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_LFS_SKIP_SMUDGE", "GIT_TRACE", "GIT_CURL_VERBOSE")
_SETTINGS = {
    "core.hooksPath": os.devnull,
    "fetch.recurseSubmodules": "no",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "protocol.version": "2",
    # bytes a second, over so many seconds: below it, the server counts as silent
    "http.lowSpeedLimit": "1",
    "http.lowSpeedTime": "20",
    # git-lfs: seconds, and attempts
    "lfs.dialtimeout": "10",
    "lfs.tlstimeout": "10",
    "lfs.activitytimeout": "20",
    "lfs.transfer.maxretries": "2",
    "lfs.locksverify": "false",
}
# Of git, where a server of protocol 0 has no branch and no tag with an object.
_ONLY_WHAT_IS_NAMED = "unadvertised object"
_LARGEST_POINTER = 1024
_POINTER = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\n(ext-.*\n)*oid sha256:([0-9a-f]{64})\nsize (\d+)\n"
)


class GitError(Exception):
    """git failed; the text is what it wrote on stderr."""


class Git:
    """git for the repository at `url`, with a partial clone in `folder`, a bare repository created on first use."""

    def __init__(self, url: str, folder: Path | None = None) -> None:
        if not shutil.which("git"):
            raise SourceError("git: needs the program git; install it (Debian: apt-get install git git-lfs)")
        self.url, self.folder = url, folder
        self._environment = {
            **{name: value for name, value in os.environ.items() if name not in _REPOSITORY + _OTHERS},
            "LC_ALL": "C",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ASKPASS": os.environ.get("GIT_ASKPASS", ""),
            "SSH_ASKPASS": "",
            "GCM_INTERACTIVE": "never",
            "GIT_OPTIONAL_LOCKS": "0",
        }
        # Plain HTTP is for servers on this machine; a redirect to it, or an alias, is refused.
        self._environment["GIT_ALLOW_PROTOCOL"] = "http" if url.startswith("http://") else "https:ssh:file"
        self._environment["GIT_SSH_COMMAND"] = f"{self._ssh()} -o BatchMode=yes -o ConnectTimeout=10"
        if folder and not (folder / "HEAD").is_file():
            self.run("init", "--quiet", "--bare", "--template=", str(folder), anywhere=True)

    def _ssh(self) -> str:
        """The user's ssh command, with their keys and options."""
        if command := os.environ.get("GIT_SSH_COMMAND") or os.environ.get("GIT_SSH"):
            return command
        with contextlib.suppress(GitError):
            return self.run("config", "core.sshCommand", anywhere=True).decode().strip()
        return "ssh"

    def run(
        self, *arguments: str, anywhere: bool = False, content: bytes = b"", to: BinaryIO | int = subprocess.PIPE
    ) -> bytes:
        """The output of a git command with `content` on its stdin; in `to`, if it is a file. GitError if it fails."""
        done = subprocess.run(
            self._command(arguments, anywhere),
            input=content,
            stdout=to,
            stderr=subprocess.PIPE,
            check=False,
            env=self._environment,
        )
        if done.returncode:
            raise GitError(done.stderr.decode(errors="replace"))
        return done.stdout

    def _command(self, arguments: Iterable[str], anywhere: bool) -> list[str]:
        settings = [part for name, value in _SETTINGS.items() for part in ("-c", f"{name}={value}")]
        place = ["--git-dir", str(self.folder)] if self.folder and not anywhere else []
        return ["git", *settings, *place, *arguments]

    def remote_refs(self) -> dict[str, str]:
        """{name: object} of HEAD, the branches and the tags on the server; "^{}" marks the commit of a tag."""
        listed = self.run("ls-remote", "--", self.url, anywhere=True).decode(errors="replace").splitlines()
        return {name: found for found, name in (line.split("\t") for line in listed)}

    def fetch_commit(self, commit: str) -> None:
        """Fetches a commit with its trees, and with its files only if the server knows no partial clones."""
        for name, value in (("url", self.url), ("promisor", "true"), ("partialclonefilter", "blob:none")):
            self.run("config", f"remote.origin.{name}", value)
        assert self.folder
        shallow = self.folder / "shallow"
        if not shallow.is_file() or commit not in shallow.read_text().split():
            self.run("fetch", "--quiet", "--depth=1", "--no-tags", "--filter=blob:none", "origin", commit)
        # git-lfs reads .lfsconfig from HEAD.
        self.run("update-ref", "--no-deref", "HEAD", commit)

    def files(self, commit: str) -> dict[str, str]:
        """{path: blob} of the regular files of a commit: no links, no submodules."""
        listed = self.run("ls-tree", "-r", "-z", "--full-tree", commit).decode("utf-8", "surrogateescape")
        entries = (entry.split("\t", 1) for entry in listed.split("\0") if entry)
        return {path: about.split()[2] for about, path in entries if about.startswith("100")}

    def fetch_blobs(self, blobs: Iterable[str], commit: str) -> None:
        """Fetches in one request the blobs that are not here yet; all of the commit from a server of protocol 0.

        That is what sshd makes of git, unless it accepts the variable GIT_PROTOCOL.
        """
        missing = self.run("rev-list", "--objects", "--missing=print", "HEAD").decode().splitlines()
        absent = {line.removeprefix("?") for line in missing if line.startswith("?")}
        named = "".join(f"{blob}\n" for blob in dict.fromkeys(blobs) if blob in absent)
        if not named:
            return
        fetch = ("fetch", "--quiet", "--no-tags", "--no-write-fetch-head")
        try:
            self.run(
                *("-c", "fetch.negotiationAlgorithm=noop", *fetch, "--filter=blob:none", "origin", "--stdin"),
                content=named.encode(),
            )
        except GitError as error:
            if _ONLY_WHAT_IS_NAMED not in str(error):
                raise
            self.run(*fetch, "--refetch", "--no-filter", "--depth=1", "origin", commit)


@dataclass(frozen=True, kw_only=True)
class Pointer:
    """The SHA-256 digest and the size in bytes of a file's content; `text` is the pointer itself."""

    digest: str
    size: int
    text: bytes


def pointer_in(file: Path) -> Pointer | None:
    """The pointer that a file of the repository is, or None for an ordinary file."""
    if file.stat().st_size > _LARGEST_POINTER:
        return None
    text = file.read_bytes()
    match = _POINTER.fullmatch(text)
    return Pointer(digest=match[2].decode(), size=int(match[3]), text=text) if match else None


def download(git: Git, pointer: Pointer, file: Path, name: str, locator: str) -> None:
    """Writes the content that `pointer` names to `file`, by git-lfs. SourceError for another content."""
    if not shutil.which("git-lfs"):
        raise SourceError(
            f"git:{locator} has {name!r} in git-lfs, which is not installed; install it (Debian: apt-get install "
            "git-lfs)"
        )
    with file.open("wb") as stream:
        git.run("lfs", "smudge", "--", name, content=pointer.text, to=stream)
    if git.folder:
        shutil.rmtree(git.folder / "lfs")  # its cache has the content a second time
    # git-lfs checks what it downloads; some settings, such as lfs.skipdownloaderrors, return the pointer instead.
    if file.stat().st_size != pointer.size or digest.of_file(file) != pointer.digest:
        raise SourceError(
            f"git-lfs gives another content for {name!r} than the pointer in the repository names (sha256 "
            f"{pointer.digest}); check .lfsconfig and git's lfs. settings"
        )

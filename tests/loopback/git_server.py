"""A git server with LFS on loopback: git's own `git http-backend`, and the batch API of git-lfs.

    with GitServer(folder, {"team/topics": model_folder}) as server:
        server.reference("team/topics")          "git:http://127.0.0.1:41234/team/topics"
        server.commit("team/topics", "v1")       the commit of a branch or tag

A folder becomes a repository with one commit, on the branch main and with the annotated tag v1. LFS has the files that
match `large`. The git protocol is the real one; the LFS part is written here from its specification and has only
downloads: it hides how other servers sign addresses, and transfers other than "basic". There is no TLS.
"""

import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.loopback.serving import Answering, LoopbackServer

USER, PASSWORD = "reader", "loopback-password-never-printed"
FAULTS = {
    "gated",  # only USER may read
    "hang",  # accepts and never answers
    "hang on files",  # names its branches, and never sends a pack or a large file
    "half a file",  # ends in the middle of every pack
    "half a large file",
    "wrong digest",  # large files with other content
    "wrong pack",  # packs with a wrong byte
    "no large files",  # as after a deletion on the server
    "out of order",
    "no git",  # another web server
}
_MARK = b"version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize %d\n"


class _Git(Answering):
    loopback: "GitServer"

    def answer(self) -> None:
        fault = self.loopback.fault
        path = self.path.partition("?")[0]
        allowed = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if fault == "hang":
            self.hang()
        elif fault == "out of order":
            self.send_content(b"out of order", 500)
        elif fault == "no git":
            self.send_content(b"<html>welcome</html>")
        elif fault == "gated" and self.headers.get("Authorization") != allowed:
            self.send_content(b"", 401, {"WWW-Authenticate": 'Basic realm="loopback"'})
        elif path.endswith("/info/lfs/objects/batch"):
            self._batch()
        elif found := re.fullmatch(r"/lfs/([0-9a-f]{64})", path):
            self._large_file(found[1])
        else:
            self._git(path)

    def _batch(self) -> None:
        """Source: git-lfs, docs/api/batch.md."""
        objects = []
        for each in json.loads(self.body)["objects"]:
            if each["oid"] in self.loopback.large and self.loopback.fault != "no large files":
                login = {name: value for name, value in self.headers.items() if name == "Authorization"}
                action = {"href": f"{self.loopback.url}/lfs/{each['oid']}", "header": login}
                objects.append({**each, "authenticated": True, "actions": {"download": action}})
            else:
                objects.append({**each, "error": {"code": 404, "message": "Object does not exist"}})
        content = json.dumps({"transfer": "basic", "objects": objects}).encode()
        self.send_content(content, 200, {"Content-Type": "application/vnd.git-lfs+json"})

    def _large_file(self, oid: str) -> None:
        content = self.loopback.large[oid]
        if self.loopback.fault == "hang on files":
            self.hang()
        elif self.loopback.fault == "half a large file":
            self.send_content(content[: len(content) // 2], announced=len(content))
        else:
            self.send_content(bytes(len(content)) if self.loopback.fault == "wrong digest" else content)

    def _git(self, path: str) -> None:
        """One CGI request. Source: git-http-backend(1)."""
        is_pack = b"command=fetch" in self.body
        if is_pack and self.loopback.fault == "hang on files":
            self.hang()
            return
        head, _, content = self._backend(path).partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().splitlines())
        status = int(headers.pop("Status", "200").split()[0])
        if is_pack and self.loopback.fault == "half a file":
            self.send_content(content[: len(content) // 2], status, headers, announced=len(content))
        elif is_pack and self.loopback.fault == "wrong pack":
            place = content.index(b"PACK") + 24
            self.send_content(content[:place] + bytes(8) + content[place + 8 :], status, headers)
        else:
            self.send_content(content, status, headers)

    def _backend(self, path: str) -> bytes:
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_PROJECT_ROOT": str(self.loopback.folder),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "REQUEST_METHOD": self.command,
            "PATH_INFO": path,
            "QUERY_STRING": self.path.partition("?")[2],
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(self.body)),
        }
        done = subprocess.run(
            ["git", "http-backend"], input=self.body, capture_output=True, check=True, env=environment
        )
        return done.stdout


class GitServer(LoopbackServer):
    """Serves folders as repositories below `folder`; `fault` is one of FAULTS."""

    answering = _Git

    def __init__(
        self,
        folder: Path,
        repositories: Mapping[str, Path],
        fault: str | None = None,
        *,
        large: Sequence[str] = ("*.safetensors", "*.bin"),
    ) -> None:
        assert fault is None or fault in FAULTS, fault
        super().__init__(fault)
        self.folder = folder
        self.large: dict[str, bytes] = {}
        for name, source in repositories.items():
            self._create(name, source, large)

    def reference(self, name: str, ref: str = "") -> str:
        return f"git:{self.url}/{name}{ref and '@'}{ref}"

    def commit(self, name: str, ref: str = "main") -> str:
        return _git(self.folder / name, "rev-parse", f"{ref}^{{commit}}")

    def change(self, name: str, file: str, content: str) -> None:
        """Another commit on main."""
        _git(self.folder / name, "checkout", "--quiet", "main")
        (self.folder / name / file).write_text(content)
        _commit(self.folder / name, "changed")

    def _create(self, name: str, source: Path, large: Sequence[str]) -> None:
        work = self.folder / name
        shutil.copytree(source, work)
        for file in [found for pattern in large for found in work.rglob(pattern)]:
            content = file.read_bytes()
            oid = hashlib.sha256(content).hexdigest()
            self.large[oid] = content
            file.write_bytes(_MARK % (oid.encode(), len(content)))
        _git(work, "init", "--quiet", "--initial-branch=main")
        # As the large hosts have it: partial clones.
        _git(work, "config", "uploadpack.allowFilter", "true")
        _commit(work, "first")
        _git(work, "tag", "--annotate", "v1", "--message", "v1")


def _commit(folder: Path, message: str) -> None:
    _git(folder, "add", "--all", "--force")
    _git(folder, "commit", "--quiet", "--message", message)


def _git(folder: Path, *arguments: str) -> str:
    environment = {
        "PATH": os.environ["PATH"],
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        **{
            f"GIT_{role}_{part}": "tester@example.com" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")
        },
    }
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True, env=environment
    )
    return done.stdout.strip()

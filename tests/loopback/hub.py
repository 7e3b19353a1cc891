"""A Hugging Face hub on loopback.

    with HubServer({"user/name": folder, "user/name@v1": other_folder}) as hub:
        hub.url, hub.commit("user/name"), hub.commit("user/name@v1"), hub.environment(cache)

`user/name` is the branch main; `@v1` is a branch or a tag; the protocol does not distinguish them.
"""

import hashlib
import re
from pathlib import Path
from urllib.parse import unquote

from tests.loopback.serving import Answering, LoopbackServer

# fault -> the status and headers of every response of the API
REFUSALS: dict[str, tuple[int, dict[str, str]]] = {
    "gated": (403, {"X-Error-Code": "GatedRepo", "X-Error-Message": "Access to this repository is restricted."}),
    "missing credentials": (401, {"X-Error-Message": "Invalid username or password."}),
    "bad token": (401, {"X-Error-Message": "Invalid credentials in Authorization header"}),
    "forbidden": (403, {"X-Error-Message": "Forbidden"}),
    "rate limit": (429, {}),
    "out of order": (500, {}),
    "teapot": (418, {}),
}
FAULTS = {
    *REFUSALS,
    "hang",  # accepts and never answers
    "no hub",  # answers with HTML
    "half a file",  # ends in the middle of every file
    "hang on files",  # the API answers, the files never come
}


class _Hub(Answering):
    loopback: "HubServer"

    def answer(self) -> None:
        fault = self.loopback.fault
        path = unquote(self.path.partition("?")[0])
        if fault == "hang":
            self.hang()
        elif fault == "no hub":
            self.send_content(b"<html>welcome</html>")
        elif fault in REFUSALS:
            status, headers = REFUSALS[fault]
            self.send_json({"error": headers.get("X-Error-Message", fault)}, status, headers)
        elif found := re.fullmatch(r"/api/models/([^/]+/[^/]+|[^/]+)/revision/(.+)", path):
            self._model(*found.groups())
        elif found := re.fullmatch(r"/([^/]+/[^/]+|[^/]+)/resolve/([0-9a-f]{40})/(.+)", path):
            self._file(*found.groups())
        else:
            self._refuse(404, "RepoNotFound")

    def _model(self, repository: str, revision: str) -> None:
        commit = self.loopback.find(repository, revision)
        if commit:
            names = [{"rfilename": name} for name in self.loopback.names(commit)]
            self.send_json({"id": repository, "modelId": repository, "sha": commit, "siblings": names, "tags": []})
        elif self.loopback.find(repository, "main"):
            self._refuse(404, "RevisionNotFound")
        else:
            self._refuse(401 if not self.headers.get("Authorization") else 404, "RepoNotFound")

    def _file(self, repository: str, commit: str, name: str) -> None:
        if commit != self.loopback.find(repository, commit) or name not in self.loopback.names(commit):
            self._refuse(404, "EntryNotFound")
            return
        content = (self.loopback.folders[commit] / name).read_bytes()
        headers = {"ETag": f'"{hashlib.sha256(content).hexdigest()}"', "X-Repo-Commit": commit}
        fault = self.loopback.fault if self.command == "GET" else None
        if fault == "hang on files":
            self.hang()
        elif fault == "half a file":
            self.send_content(content[: len(content) // 2], 200, headers, announced=len(content))
        else:
            self.send_content(content, 200, headers)

    def _refuse(self, status: int, code: str) -> None:
        self.send_json({"error": code}, status, {"X-Error-Code": code})


class HubServer(LoopbackServer):
    """Serves folders as model repositories; `fault` is one of FAULTS."""

    answering = _Hub

    def __init__(self, repositories: dict[str, Path], fault: str | None = None) -> None:
        assert fault is None or fault in FAULTS, fault
        super().__init__(fault)
        self.folders: dict[str, Path] = {}
        self._commits: dict[tuple[str, str], str] = {}
        for key, folder in repositories.items():
            repository, _, revision = key.partition("@")
            commit = _commit(Path(folder), repository)
            self.folders[commit] = Path(folder)
            self._commits[repository, revision or "main"] = commit
            self._commits[repository, commit] = commit

    def commit(self, key: str) -> str:
        repository, _, revision = key.partition("@")
        return self._commits[repository, revision or "main"]

    def find(self, repository: str, revision: str) -> str | None:
        return self._commits.get((repository, revision))

    def names(self, commit: str) -> list[str]:
        folder = self.folders[commit]
        return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())

    def environment(self, cache: Path) -> dict[str, str]:
        """The variables that point the client at this hub, with a cache of its own and without the user's token."""
        return {
            "HF_ENDPOINT": self.url,
            "HF_HOME": str(cache),
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_XET": "1",
            "NO_PROXY": "127.0.0.1",
        }


def _commit(folder: Path, repository: str) -> str:
    digest = hashlib.sha1(repository.encode(), usedforsecurity=False)
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()

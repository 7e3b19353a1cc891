"""A ClearML server (API and file server in one) on loopback.

    with ClearmlServer({"<id>": archive_or_folder}) as server:
        server.environment()  # the CLEARML_ variables that point the SDK at it

A folder is served as a zip of its files. None as a value is a model without a uri; a string is the uri itself.
"""

import base64
import hashlib
import io
import json
import re
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jwt

from tests.loopback.serving import Answering, LoopbackServer

ACCESS_KEY = "LOOPBACKACCESSKEY"
SECRET_KEY = "loopback-secret-key-never-printed"
SIGNATURE = "loopback-signature-of-thirty-two-bytes-or-more"
FAULTS = {
    "hang",  # accepts and never answers
    "hang after login",
    "drop after login",  # the connection ends at every look-up
    "drop on the second look-up",  # the first is ours; the second is the SDK's, which retries for ever
    "no api",  # answers with other JSON
    "login out of order",
    "forbidden",  # logs in, but may not read
    "no file",  # the model is known, its file is gone
    "half a file",
    "hang on files",  # the API answers, the file never comes
}


class _Clearml(Answering):
    loopback: "ClearmlServer"

    def answer(self) -> None:
        path = self.path.partition("?")[0]
        if self.loopback.fault == "hang":
            self.hang()
        elif self.loopback.fault == "no api":
            self.send_json({"welcome": "elsewhere"})
        elif path.endswith("auth.login"):
            self._login()
        elif path.endswith("models.get_by_id"):
            self._look_up()
        elif path.endswith("models.get_all") and json.loads(self.body).get("tags"):  # the SDK's own asks for ids
            self._search()
        elif path.endswith("tasks.get_by_id"):
            self._task()
        elif path.startswith("/files/"):
            self._file(path.removeprefix("/files/"))
        else:
            self._refuse(404, "no such endpoint")

    def _login(self) -> None:
        expected = base64.b64encode(f"{ACCESS_KEY}:{SECRET_KEY}".encode()).decode()
        if self.loopback.fault == "login out of order":
            self._refuse(500, "out of order")
        elif self.headers.get("Authorization") != f"Basic {expected}":
            self._refuse(401, "Unauthorized (invalid credentials)")
        else:
            claims = {"exp": int(time.time()) + 86400, "api_version": "2.9", "server_version": "1.0.0"}
            self._succeed({"token": jwt.encode(claims, SIGNATURE, algorithm="HS256")})

    def _look_up(self) -> None:
        self.loopback.look_ups += 1
        fault = self.loopback.fault
        if fault == "hang after login":
            self.hang()
        elif fault == "drop after login" or (fault == "drop on the second look-up" and self.loopback.look_ups > 1):
            self.drop()
        elif fault == "forbidden":
            self._refuse(403, "not allowed")
        elif (model := json.loads(self.body or b"{}").get("model")) in self.loopback.models:
            uri = self.loopback.uri(model)
            found = {"id": model, "name": model, "uri": uri, "system_tags": []}
            if model in self.loopback.designs:
                found["design"] = {"design": self.loopback.designs[model]}
            self._succeed({"model": found})
        else:
            self._refuse(400, f"Invalid model id: id={model}")

    def _search(self) -> None:
        """By a name as a regular expression, and tags."""
        query = json.loads(self.body)
        tagged = [each for each in self.loopback.tagged if {*query["tags"]} <= {*each[2]}]
        found = [{"id": each[0], "name": each[1]} for each in tagged if re.search(query["name"], each[1])]
        self._succeed({"models": found})

    def _task(self) -> None:
        task = json.loads(self.body)["task"]
        if task not in self.loopback.tasks:
            self._refuse(400, f"Invalid task id: id={task}")
            return
        self._succeed({"task": {"id": task, "execution": {"artifacts": self.loopback.artifacts(task)}}})

    def _file(self, path: str) -> None:
        model = path.partition("/")[0]
        if self.loopback.fault == "no file" or model not in self.loopback.models:
            self._refuse(404, "no such file")
            return
        if self.loopback.fault == "hang on files":
            self.hang()
            return
        content = self.loopback.content(model)
        if self.loopback.fault == "half a file":
            self.send_content(content[: len(content) // 2], announced=len(content))
        else:
            self.send_content(content)

    def _succeed(self, content: Any) -> None:
        self.send_json({"meta": {"result_code": 200}, "data": content})

    def _refuse(self, status: int, message: str) -> None:
        self.send_json({"meta": {"result_code": status, "result_msg": message}, "data": {}}, status)


class ClearmlServer(LoopbackServer):
    """Serves archives (or folders) as registered models; `fault` is one of FAULTS."""

    answering = _Clearml

    def __init__(self, models: Mapping[str, Path | str | None], fault: str | None = None) -> None:
        assert fault is None or fault in FAULTS, fault
        super().__init__(fault)
        self.models = dict(models)
        self.look_ups = 0
        self.designs: dict[str, str] = {}  # model -> its configuration
        self.tagged: list[tuple[str, str, tuple[str, ...]]] = []  # (id, name, tags)
        self.tasks: dict[str, dict[str, str]] = {}  # task -> {artifact: key of `models`}

    def environment(self) -> dict[str, str]:
        return {
            "CLEARML_API_HOST": self.url,
            "CLEARML_WEB_HOST": self.url,
            "CLEARML_FILES_HOST": f"{self.url}/files",
            "CLEARML_API_ACCESS_KEY": ACCESS_KEY,
            "CLEARML_API_SECRET_KEY": SECRET_KEY,
            "NO_PROXY": "127.0.0.1",
        }

    def uri(self, model: str) -> str | None:
        source = self.models[model]
        if source is None or isinstance(source, str):
            return source
        name = f"{source.name}.zip" if source.is_dir() else source.name
        return f"{self.url}/files/{model}/{name}"

    def artifacts(self, task: str) -> list[dict[str, str | None]]:
        """The artifacts of a task with the digests of their files, as the SDK uploads them."""
        return [
            {"key": key, "uri": self.uri(model), "hash": hashlib.sha256(self.content(model)).hexdigest()}
            for key, model in self.tasks[task].items()
        ]

    def content(self, model: str) -> bytes:
        source = self.models[model]
        assert isinstance(source, Path)
        return zipped(source) if source.is_dir() else source.read_bytes()


def zipped(folder: Path) -> bytes:
    """The files of a folder as a zip archive, names relative to it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(folder).as_posix())
    return buffer.getvalue()

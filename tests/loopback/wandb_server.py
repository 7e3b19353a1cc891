"""A server of Weights & Biases on loopback, for the real client.

    with WandbServer({"team/topics/model": folder}) as server:
        server.environment()     the variables that point the client at it

Each artifact has the version v0 with the aliases "latest" and "best"; `change` adds versions. It answers the GraphQL
queries that the client 0.31 sends for a look-up and a download (viewer, features, membership by name, manifest), and
serves the manifest and the files. It does not parse queries: it knows them by their operation name. So it hides a
change of the queries' fields, and storage layouts of the cloud (files are at presigned addresses there).
"""

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.loopback.serving import Answering, LoopbackServer

KEY = "loopback0wandb0key0never0printed00000000"  # 40 characters, as the client checks
DATE = "2026-01-01T00:00:00"


class _Wandb(Answering):
    loopback: "WandbServer"

    def answer(self) -> None:
        path = self.path.partition("?")[0]
        allowed = "Basic " + base64.b64encode(f"api:{KEY}".encode()).decode()
        if path == "/graphql" and self.headers.get("Authorization") != allowed:
            self.send_json({"errors": [{"message": "user is not logged in"}]}, 401)
        elif path == "/graphql":
            request = json.loads(self.body)
            operation = re.search(r"(?:query|mutation) (\w+)", request["query"])
            name = operation[1] if operation else ""
            self.loopback.operations.append(name)
            self.send_json({"data": self._data(name, request.get("variables") or {})})
        elif found := re.fullmatch(r"/manifests/(.+)", path):
            self.send_json(self.loopback.manifest(found[1]))
        elif found := re.fullmatch(r"/artifacts/team/([0-9a-f]{32})", path):
            self.send_content(self.loopback.files[found[1]])
        else:
            self.send_json({"error": "not found"}, 404)

    def _data(self, operation: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        if operation == "Viewer":
            return {"viewer": {"id": "1", "entity": "team", "username": "me", "email": "", "flags": "{}", "teams": {}}}
        if operation == "ArtifactMembershipByName":
            found = self.loopback.find(f"{variables['entity']}/{variables['project']}", variables["name"])
            return {"project": {"artifactCollectionMembership": found}}
        if operation == "FetchArtifactManifest":
            url = f"{self.loopback.url}/manifests/{variables['id']}"
            return {"artifact": {"currentManifest": {"file": {"directUrl": url}}}}
        return {}


class WandbServer(LoopbackServer):
    """Serves folders as artifacts, {"entity/project/name": folder}."""

    answering = _Wandb

    def __init__(self, artifacts: Mapping[str, Path]) -> None:
        super().__init__()
        self.versions = {name: [folder] for name, folder in artifacts.items()}
        self.files: dict[str, bytes] = {}
        self.operations: list[str] = []
        self.references: dict[str, str] = {}  # file -> address of its content elsewhere

    def environment(self) -> dict[str, str]:
        return {"WANDB_BASE_URL": self.url, "WANDB_API_KEY": KEY, "NO_PROXY": "127.0.0.1"}

    def change(self, name: str, folder: Path) -> None:
        """Another version, with the aliases."""
        self.versions[name].append(folder)

    def find(self, place: str, name: str) -> dict[str, Any] | None:
        """The membership of a version, found by its alias."""
        name, _, alias = name.partition(":")
        known = self.versions.get(f"{place}/{name}", [])
        index = {"latest": len(known) - 1, "best": len(known) - 1}.get(alias, -1)
        if re.fullmatch(r"v\d+", alias) and int(alias[1:]) < len(known):
            index = int(alias[1:])
        return self._membership(place, name, index) if known and index >= 0 else None

    def _membership(self, place: str, name: str, index: int) -> dict[str, Any]:
        entity, _, project = place.partition("/")
        about = {"id": "1", "internalId": "1", "name": project, "entity": {"name": entity}}
        collection = {"__typename": "ArtifactSequence", "name": name, "project": about}
        identity = base64.b64encode(f"{place}/{name}:{index}".encode()).decode()
        artifact = {
            "__typename": "Artifact",
            "id": identity,
            "artifactSequence": collection,
            "versionIndex": index,
            "artifactType": {"name": "model"},
            "description": None,
            "metadata": "{}",
            "ttlDurationSeconds": 0,
            "ttlIsInherited": False,
            "tags": [],
            "historyStep": None,
            "state": "COMMITTED",
            "size": 1,
            "digest": "0" * 32,
            "commitHash": "",
            "fileCount": 1,
            "createdAt": DATE,
            "updatedAt": DATE,
            "aliases": [],
        }
        return {
            "__typename": "ArtifactCollectionMembership",
            "id": identity,
            "versionIndex": index,
            "createdAt": DATE,
            "aliases": [],
            "artifactCollection": collection,
            "artifact": artifact,
        }

    def manifest(self, identity: str) -> dict[str, Any]:
        """The files of a version with their MD5 digests; the files are served from now on."""
        name, _, index = base64.b64decode(identity).decode().rpartition(":")
        folder, contents = self.versions[name][int(index)], {}
        for path in (path for path in folder.rglob("*") if path.is_file()):
            content = path.read_bytes()
            digest = hashlib.md5(content, usedforsecurity=False)
            self.files[digest.hexdigest()] = content
            entry = {"digest": base64.b64encode(digest.digest()).decode(), "size": len(content)}
            name = path.relative_to(folder).as_posix()
            contents[name] = entry | ({"ref": self.references[name]} if name in self.references else {})
        policy = {"storagePolicy": "wandb-storage-policy-v1", "storagePolicyConfig": {}}
        return {"version": 1, **policy, "contents": contents}

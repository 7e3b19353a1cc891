"""git: over ssh, by the real ssh and sshd on loopback. Large files come from the server that sshd names to git-lfs."""

import json

import pytest

from tests.loopback.git_server import GitServer
from tests.loopback.ssh_server import SshServer
from tests.unit.sources.storage.calls import fetch, refusal, resolve
from utils.sources.storage import METADATA, SAFE_WEIGHTS


@pytest.fixture(scope="module")
def ssh(tmp_path_factory):
    with SshServer(tmp_path_factory.mktemp("ssh") / "server") as server:
        yield server


@pytest.fixture
def repository(ssh, tmp_path, model_folder, environment):
    """The reference of a repository on the server; the client knows the key of the host."""
    environment({"GIT_SSH_COMMAND": ssh.command, "NO_PROXY": "127.0.0.1"})
    ssh.known_hosts.write_text(ssh.host_key)
    with GitServer(tmp_path / "served", {"topics": model_folder}) as server:
        lfs = ssh.programs / "git-lfs-authenticate"  # docs/api/server-discovery.md of git-lfs
        lfs.write_text(f"#!/bin/sh\necho '{json.dumps({'href': f'{server.url}/topics/info/lfs'})}'\n")
        lfs.chmod(0o755)
        yield f"git:{ssh.url}{server.folder}/topics@v1"


def test_a_model_is_fetched_with_its_large_files(repository, model_folder, tmp_path):
    files = fetch(repository, resolve(repository), METADATA + SAFE_WEIGHTS, tmp_path / "out")
    assert sorted(files) == ["config.json", "model.safetensors", "vocab.txt"]
    assert all(path.read_bytes() == (model_folder / name).read_bytes() for name, path in files.items())


def test_a_host_that_is_not_known_is_refused_without_a_question(ssh, repository):
    ssh.known_hosts.write_text("")
    message = refusal(resolve, repository)
    assert "ssh does not know the key of its server; compare the key" in message


def test_a_host_with_another_key_is_refused(ssh, repository):
    """The key that the client knows is the user's own, which the server does not have."""
    other = " ".join((ssh.folder / "user.pub").read_text().split()[:2])
    ssh.known_hosts.write_text(f"[127.0.0.1]:{ssh.port} {other}\n")
    assert "the key of its server is not the one in known_hosts" in refusal(resolve, repository)


def test_a_key_that_the_server_does_not_accept(ssh, repository, environment, tmp_path):
    environment({"GIT_SSH_COMMAND": f"{ssh.command} -o IdentityFile=/dev/null -F {tmp_path / 'none'}"})
    (tmp_path / "none").write_text(f"IdentitiesOnly yes\nUserKnownHostsFile {ssh.known_hosts}\n")
    assert "git is not allowed to read it; give git a login that can" in refusal(resolve, repository)


def test_what_is_no_repository_on_the_server(repository):
    assert "there is no repository at this address" in refusal(resolve, repository.replace("topics", "others"))

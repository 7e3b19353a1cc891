"""git: by the real git and git-lfs, against tests/loopback/git_server.py, whose docstring says what it hides."""

import shutil
import subprocess

import pytest

from tests.loopback.git_server import PASSWORD, USER, GitServer
from tests.unit.sources.storage.calls import fetch, refusal, resolve
from utils.sources.storage import METADATA, SAFE_WEIGHTS, git
from utils.sources.storage.git_client import Git

NAME = "team/topics"


@pytest.fixture
def server(tmp_path, model_folder, environment):
    environment({"NO_PROXY": "127.0.0.1"})
    with GitServer(tmp_path / "served", {NAME: model_folder}) as server:
        yield server


def test_branches_tags_and_commits_are_resolved_without_a_download(server):
    first = server.commit(NAME)
    server.change(NAME, "config.json", "{}")
    newer = server.commit(NAME)
    assert resolve(server.reference(NAME)) == resolve(server.reference(NAME, "main")) == newer != first
    assert resolve(server.reference(NAME, "v1")) == resolve(server.reference(NAME, first)) == first
    assert not [path for _, path, _ in server.requests if "/lfs" in path]
    message = refusal(resolve, server.reference(NAME, "no-such"))
    assert "has no branch or tag 'no-such'; use one of main, v1, or all 40 digits of a commit" in message


def test_weights_are_fetched_last_and_from_lfs(server, model_folder, tmp_path):
    first = server.commit(NAME)
    server.change(NAME, "config.json", "{}")  # fetch takes the revision, not the branch
    reference = server.reference(NAME, "main")
    assert sorted(fetch(reference, first, METADATA, tmp_path / "out")) == ["config.json", "vocab.txt"]
    assert not [path for _, path, _ in server.requests if "/lfs" in path]
    files = fetch(reference, first, METADATA + SAFE_WEIGHTS, tmp_path / "out")
    assert sorted(files) == ["config.json", "model.safetensors", "vocab.txt"]
    assert all(path.read_bytes() == (model_folder / name).read_bytes() for name, path in files.items())
    assert not list((tmp_path / "out").rglob("lfs"))


def test_a_server_without_partial_clones_and_files_without_lfs(tmp_path, model_folder, environment):
    environment({"NO_PROXY": "127.0.0.1"})
    with GitServer(tmp_path / "served", {NAME: model_folder}, large=()) as server:
        subprocess.run(
            ["git", "-C", server.folder / NAME, "config", "uploadpack.allowFilter", "false"], check=True, timeout=30
        )
        files = fetch(server.reference(NAME, "v1"), server.commit(NAME), METADATA + SAFE_WEIGHTS, tmp_path / "out")
    assert files["model.safetensors"].read_bytes() == (model_folder / "model.safetensors").read_bytes()


def test_a_repository_on_this_machine(server, tmp_path):
    reference = f"git:file://{server.folder / NAME}@v1"
    files = fetch(reference, resolve(reference), METADATA, tmp_path / "out")
    assert sorted(files) == ["config.json", "vocab.txt"]


def test_the_login_is_that_of_a_credential_helper(server, tmp_path, environment, monkeypatch):
    server.fault = "gated"
    message = refusal(resolve, server.reference(NAME))
    assert "git is not allowed to read it; give git a login" in message
    (tmp_path / "logins").write_text(server.url.replace("//", f"//{USER}:{PASSWORD}@") + "\n")
    environment({"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "credential.helper"})
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", f"store --file={tmp_path / 'logins'}")
    files = fetch(server.reference(NAME), resolve(server.reference(NAME)), SAFE_WEIGHTS, tmp_path / "out")
    assert sorted(files) == ["model.safetensors"]
    server.fault = "out of order"
    assert PASSWORD not in refusal(resolve, server.reference(NAME))


def test_no_program_of_the_repository_or_the_user_runs(server, tmp_path, environment):
    """A filter in .gitattributes, a submodule, and hooks of the user: each would write a file."""
    ran = tmp_path / "ran"
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for name in ("reference-transaction", "post-checkout"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {ran}\n")
        (hooks / name).chmod(0o755)
    server.change(NAME, ".gitattributes", "*.txt filter=own\n")
    server.change(NAME, ".gitmodules", f'[submodule "x"]\npath = x\nurl = file://{server.folder / NAME}\n')
    settings = {"core.hooksPath": str(hooks), "filter.own.smudge": f"touch {ran}", "fetch.recurseSubmodules": "yes"}
    for place, (name, value) in enumerate(settings.items()):
        environment({f"GIT_CONFIG_KEY_{place}": name, f"GIT_CONFIG_VALUE_{place}": value})
    environment({"GIT_CONFIG_COUNT": str(len(settings))})
    assert "vocab.txt" in fetch(server.reference(NAME), server.commit(NAME), METADATA, tmp_path / "out")
    assert not ran.exists()


def test_variables_of_a_surrounding_repository_do_not_count(server, environment, tmp_path):
    environment({"GIT_DIR": str(tmp_path / "elsewhere"), "GIT_WORK_TREE": str(tmp_path)})
    assert resolve(server.reference(NAME)) == server.commit(NAME)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("half a file", "the download was cut off; run the same command again"),
        ("half a large file", "the download was cut off; run the same command again"),
        ("wrong digest", "the content of a file is not the one that the repository's digest names"),
        ("wrong pack", "the content of a file is not the one that the repository's digest names"),
        ("no large files", "has no content for a file of git-lfs; push it again (git lfs push --all)"),
    ],
)
def test_damaged_files(fault, words, server, tmp_path):
    revision = server.commit(NAME)
    server.fault = fault
    assert words in refusal(fetch, server.reference(NAME), revision, SAFE_WEIGHTS, tmp_path / "out")
    assert not (tmp_path / "out/files/model.safetensors").exists()


def test_what_is_no_repository(server, closed_port):
    assert "there is no repository at this address" in refusal(resolve, f"git:{server.url}/team/other")
    server.fault = "no git"
    assert "has no branch and no tag; check that the address" in refusal(resolve, server.reference(NAME))
    assert "its server cannot be reached" in refusal(resolve, f"git:http://127.0.0.1:{closed_port}/x")
    assert "its server cannot be reached" in refusal(resolve, f"git:git@127.0.0.1:{closed_port}/x.git")


def test_a_commit_that_the_server_does_not_have(server, tmp_path):
    message = refusal(fetch, server.reference(NAME), "0" * 39 + "1", METADATA, tmp_path / "out")
    assert "it has no such commit" in message


@pytest.mark.parametrize(
    ("locator", "words"),
    [
        ("host.example/team/topics", "is no repository; write git:https://host/path@ref"),
        ("http://host.example/team/topics", "is no repository"),
        ("ext::sh -c true", "is no repository"),
        ("--upload-pack=true", "is no repository"),
        ("https://host.example/", "is no repository"),
        ("https://me:a-secret-password@host.example/x", "contains a login"),
        ("https://a-secret-token@host.example/x", "contains a login"),
        ("https://host.example/x@--output", "is no branch, tag or commit"),
        ("https://host.example/x@a..b", "is no branch, tag or commit"),
    ],
)
def test_what_is_no_reference(locator, words):
    message = refusal(git.resolve, locator)
    assert words in message and "a-secret" not in message


@pytest.mark.parametrize(
    ("locator", "url", "ref"),
    [
        ("ssh://git@host.example:22/team/x.git", "ssh://git@host.example:22/team/x.git", "HEAD"),
        ("ssh://git@host.example/team/x.git@v1", "ssh://git@host.example/team/x.git", "v1"),
        ("git@host.example:team/x.git", "git@host.example:team/x.git", "HEAD"),
        ("git@host.example:team/x.git@dev/one", "git@host.example:team/x.git", "dev/one"),
        ("https://host.example/x@dev/one", "https://host.example/x", "dev/one"),
    ],
)
def test_the_parts_of_a_reference(locator, url, ref):
    assert git._split(locator) == (url, ref)


def test_ssh_never_asks_and_keeps_the_users_command(environment):
    assert Git("ssh://host.example/x")._environment["GIT_SSH_COMMAND"].startswith("ssh -o BatchMode=yes")
    environment({"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "core.sshCommand", "GIT_CONFIG_VALUE_0": "ssh -p 23"})
    assert Git("ssh://host.example/x")._environment["GIT_SSH_COMMAND"].startswith("ssh -p 23 -o BatchMode=yes")


def test_missing_programs_are_named(server, tmp_path, monkeypatch):
    revision = server.commit(NAME)
    locator = server.reference(NAME).removeprefix("git:")
    programs = {name: shutil.which(name) for name in ("git", "sh")}
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert "git: needs the program git; install it (Debian: apt-get install git git-lfs)" in refusal(
        git.resolve, locator
    )
    for name, program in programs.items():
        (tmp_path / "bin" / name).symlink_to(program)
    message = refusal(git.fetch, locator, revision, SAFE_WEIGHTS, tmp_path / "out")
    assert "has 'model.safetensors' in git-lfs, which is not installed; install it" in message

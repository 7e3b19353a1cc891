"""hf: a model repository on a Hugging Face hub, `user/name[@revision]`, through the client's cache.

The client reads HF_ENDPOINT, HF_TOKEN, HF_HOME and HF_HUB_OFFLINE. TRITON_FACTORY_NO_CACHE=1 downloads cached files
again.
"""

import contextlib
import glob
import logging
import os
import re
import sys
from functools import partial
from pathlib import Path

from utils.host import entry
from utils.host.errors import SourceError
from utils.sources.storage import matches
from utils.sources.storage.scrub import explained, scrub

# Below bounded.FIRST_ANSWER_SECONDS, so that the client's own reason is reported.
TIMEOUT = 20.0
_LOCATOR = re.compile(r"(?P<repository>\w[\w.-]*(/\w[\w.-]*)?)(@(?P<revision>\w[\w./-]*))?", re.ASCII)


def resolve(locator: str) -> str:
    """The commit that the revision (a branch, a tag or a commit, `main` by default) points to now."""
    from huggingface_hub import HfApi, constants, snapshot_download

    repository, revision = _split(locator)
    _quieten()
    with _explained(locator):
        if constants.HF_HUB_OFFLINE:
            return Path(snapshot_download(repository, revision=revision, local_files_only=True)).name
        commit = HfApi().model_info(repository, revision=revision, timeout=TIMEOUT).sha
    if not commit:
        raise SourceError(f"the hub returns no commit for hf:{locator}; check that HF_ENDPOINT is a Hugging Face hub")
    return commit


def fetch(locator: str, revision: str, patterns: tuple[str, ...], destination: Path) -> Path:
    """The snapshot of commit `revision` in the client's cache, with at least the files that match `patterns`."""
    from huggingface_hub import HfApi, constants, snapshot_download

    repository, name = _split(locator)
    _quieten()
    with _explained(locator):
        if constants.HF_HUB_OFFLINE:
            cached = Path(snapshot_download(repository, revision=revision, local_files_only=True))
            return _holding(cached, patterns, locator)
        # A request of its own: with files in the cache, snapshot_download hides that the hub is unreachable.
        siblings = HfApi().model_info(repository, revision=revision, timeout=TIMEOUT).siblings or []
        files = _chosen([sibling.rfilename for sibling in siblings], patterns)
        if not files:
            destination.mkdir(parents=True, exist_ok=True)
            return destination
        folder = snapshot_download(
            repository,
            revision=revision,
            allow_patterns=[glob.escape(file) for file in files],
            force_download=os.environ.get("TRITON_FACTORY_NO_CACHE") == "1",
        )
    absent = [file for file in files if not (Path(folder) / file).is_file()]
    if absent:
        raise SourceError(f"hf:{locator} was fetched without {', '.join(absent)}; run the same command again")
    _remember(repository, name, revision)
    return Path(folder)


def _split(locator: str) -> tuple[str, str]:
    match = _LOCATOR.fullmatch(locator)
    if not match or ".." in locator or "--" in match["repository"]:
        raise SourceError(
            f"'hf:{locator}' is not a repository; write hf:user/name or hf:user/name@revision "
            "(letters, digits, '.', '_' and '-')"
        )
    return match["repository"], match["revision"] or "main"


def _chosen(names: list[str], patterns: tuple[str, ...]) -> list[str]:
    """The files to fetch: no pickled weights if the repository has safetensors."""
    if any(name.endswith(".safetensors") and "/" not in name for name in names):
        names = [name for name in names if not name.endswith(".bin")]
    return [name for name in names if matches(name, patterns)]


def _holding(folder: Path, patterns: tuple[str, ...], locator: str) -> Path:
    """The cached folder, if it has any of the files: offline, missing files cannot be detected."""
    if any(matches(file.relative_to(folder).as_posix(), patterns) for file in folder.rglob("*")):
        return folder
    raise SourceError(
        f"hf:{locator} is in the cache without any {', '.join(patterns)}, and HF_HUB_OFFLINE is set; "
        "run once with HF_HUB_OFFLINE=0"
    )


def _remember(repository: str, name: str, commit: str) -> None:
    """Records the commit of a branch or tag in the cache, as the client does for a download by name.

    Without it, HF_HUB_OFFLINE=1 cannot resolve the name of a cached repository.
    """
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    if commit.startswith(name):
        return
    note = Path(constants.HF_HUB_CACHE, repo_folder_name(repo_id=repository, repo_type="model"), "refs", name)
    note.parent.mkdir(parents=True, exist_ok=True)
    note.write_text(commit)


def _quieten() -> None:
    """Progress bars only on a terminal, the client's log only with `--debug`."""
    from huggingface_hub.utils.logging import set_verbosity
    from huggingface_hub.utils.tqdm import disable_progress_bars

    if not sys.stderr.isatty():
        disable_progress_bars()
    if not entry.debugging():
        set_verbosity(logging.ERROR)


def _explained(locator: str) -> contextlib.AbstractContextManager[None]:
    from huggingface_hub import get_token

    return explained(partial(_sentence, f"hf:{locator}", *_split(locator)), get_token())


def _sentence(reference: str, repository: str, revision: str, error: Exception) -> str | None:
    import requests
    from huggingface_hub import constants, errors

    if isinstance(error, errors.LocalEntryNotFoundError) and isinstance(error.__cause__, Exception):
        error = error.__cause__  # the real reason: the client reports a failed request as "not in the cache"
    hub = scrub(constants.ENDPOINT)
    token = "was refused" if os.environ.get("HF_TOKEN") else "is not set"
    not_cached = f"{reference} is not in the cache and HF_HUB_OFFLINE is set; run once with HF_HUB_OFFLINE=0"
    lost = f"the connection to {hub} was lost while downloading a file of {reference}; run the same command again"
    # The order matters: GatedRepoError is a RepositoryNotFoundError, and ConnectTimeout a ConnectionError.
    sentences = {
        errors.GatedRepoError: f"{reference} is gated: request access on {hub}/{repository}, then set HF_TOKEN "
        f"to a token of an account with access (HF_TOKEN {token} now)",
        errors.RepositoryNotFoundError: f"{hub} has no repository {repository!r}, or it is private; "
        f"check the name, or set HF_TOKEN to a token that can read it (HF_TOKEN {token} now)",
        errors.RevisionNotFoundError: f"{repository!r} has no revision {revision!r} on {hub}; "
        "use one of its branches, tags or commits",
        errors.LocalEntryNotFoundError: not_cached,
        errors.OfflineModeIsEnabled: not_cached,
        errors.HFValidationError: f"{reference!r} is not a repository; write hf:user/name or hf:user/name@revision",
        requests.Timeout: f"{hub} did not answer in time for {reference}; check the network and HF_ENDPOINT, then run "
        "it again",
        requests.exceptions.ChunkedEncodingError: lost,
        requests.ConnectionError: f"{hub} cannot be reached for {reference}; check the network, HTTPS_PROXY and "
        "HF_ENDPOINT",
    }
    if found := next((sentence for kind, sentence in sentences.items() if isinstance(error, kind)), None):
        return found
    if isinstance(error, errors.HfHubHTTPError) and error.response is not None:
        return _by_status(error.response.status_code, reference, hub, token)
    if isinstance(error, requests.RequestException):
        return f"the answer of {hub} for {reference} is not a hub's ({type(error).__name__}); check HF_ENDPOINT"
    return lost if "Consistency check failed" in str(error) else None


def _by_status(status: int, reference: str, hub: str, token: str) -> str:
    if status in {401, 403}:
        return (
            f"{hub} refuses {reference} ({status}); set HF_TOKEN to a valid token that can read it "
            f"(HF_TOKEN {token} now)"
        )
    if status == 429:
        return f"{hub} limits the rate of requests (429) for {reference}; wait a few minutes, or set HF_TOKEN"
    if status >= 500:
        return f"{hub} failed with status {status} for {reference}; run the same command again later"
    return f"{hub} answered {status} for {reference}; check the reference and HF_ENDPOINT"

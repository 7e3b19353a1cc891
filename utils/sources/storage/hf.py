"""hf: a model repository on a Hugging Face hub, `user/name[@revision]`, through the client's own cache.

HF_ENDPOINT, HF_TOKEN, HF_HOME and HF_HUB_OFFLINE are the client's and are honoured;
TRITON_FACTORY_NO_CACHE=1 downloads again what the cache holds.
"""

import glob
import logging
import os
import re
import sys
from pathlib import Path

from utils.host import entry
from utils.host.errors import SourceError
from utils.sources.storage import matches
from utils.sources.storage.hf_errors import explained

# Below bounded.FIRST_ANSWER_SECONDS, so that the client's own reason is told.
TIMEOUT = 20.0
_LOCATOR = re.compile(r"(?P<repository>\w[\w.-]*(/\w[\w.-]*)?)(@(?P<revision>\w[\w./-]*))?", re.ASCII)


def resolve(locator: str) -> str:
    """The commit that the revision (a branch, a tag, a commit; `main` by default) points to now."""
    from huggingface_hub import HfApi, constants, snapshot_download

    repository, revision = _split(locator)
    _quieten()
    with explained(f"hf:{locator}", repository, revision):
        if constants.HF_HUB_OFFLINE:
            return Path(snapshot_download(repository, revision=revision, local_files_only=True)).name
        commit = HfApi().model_info(repository, revision=revision, timeout=TIMEOUT).sha
    if not commit:
        raise SourceError(f"the hub names no commit for hf:{locator}; check that HF_ENDPOINT is a Hugging Face hub")
    return commit


def fetch(locator: str, revision: str, patterns: tuple[str, ...], destination: Path) -> Path:
    """The snapshot of commit `revision` in the client's cache, with at least the files that match `patterns`."""
    from huggingface_hub import HfApi, constants, snapshot_download

    repository, wanted = _split(locator)
    _quieten()
    with explained(f"hf:{locator}", repository, wanted):
        if constants.HF_HUB_OFFLINE:
            cached = Path(snapshot_download(repository, revision=revision, local_files_only=True))
            return _holding(cached, patterns, locator)
        # Asked first, on its own: with files in the cache, snapshot_download hides that the hub is out of reach.
        siblings = HfApi().model_info(repository, revision=revision, timeout=TIMEOUT).siblings or []
        names = _chosen([sibling.rfilename for sibling in siblings], patterns)
        if not names:
            destination.mkdir(parents=True, exist_ok=True)
            return destination
        folder = snapshot_download(
            repository,
            revision=revision,
            allow_patterns=[glob.escape(name) for name in names],
            force_download=os.environ.get("TRITON_FACTORY_NO_CACHE") == "1",
        )
    absent = [name for name in names if not (Path(folder) / name).is_file()]
    if absent:
        raise SourceError(f"hf:{locator} arrived without {', '.join(absent)}; run the same command again")
    _remember(repository, wanted, revision)
    return Path(folder)


def _split(locator: str) -> tuple[str, str]:
    match = _LOCATOR.fullmatch(locator)
    if not match or ".." in locator or "--" in match["repository"]:
        raise SourceError(
            f"'hf:{locator}' names no repository; write hf:user/name or hf:user/name@revision "
            "(letters, digits, '.', '_' and '-')"
        )
    return match["repository"], match["revision"] or "main"


def _chosen(names: list[str], patterns: tuple[str, ...]) -> list[str]:
    """No pickled weights where the repository has safe ones."""
    if any(name.endswith(".safetensors") and "/" not in name for name in names):
        names = [name for name in names if not name.endswith(".bin")]
    return [name for name in names if matches(name, patterns)]


def _holding(folder: Path, patterns: tuple[str, ...], locator: str) -> Path:
    """Offline nobody can tell which files are missing, but none at all is a download that never happened."""
    if any(matches(file.relative_to(folder).as_posix(), patterns) for file in folder.rglob("*")):
        return folder
    raise SourceError(
        f"hf:{locator} is in the cache without any {', '.join(patterns)}, and HF_HUB_OFFLINE is set; "
        "run once with HF_HUB_OFFLINE=0"
    )


def _remember(repository: str, wanted: str, commit: str) -> None:
    """Notes which commit a branch or tag was, as the client does when it is given the name and not the commit.

    Without this note, HF_HUB_OFFLINE=1 could not resolve the name of a repository that lies in the cache.
    """
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    if commit.startswith(wanted):
        return
    note = Path(constants.HF_HUB_CACHE, repo_folder_name(repo_id=repository, repo_type="model"), "refs", wanted)
    note.parent.mkdir(parents=True, exist_ok=True)
    note.write_text(commit)


def _quieten() -> None:
    """Progress bars are for terminals, the client's log is for `--debug`."""
    from huggingface_hub.utils.logging import set_verbosity
    from huggingface_hub.utils.tqdm import disable_progress_bars

    if not sys.stderr.isatty():
        disable_progress_bars()
    if not entry.debugging():
        set_verbosity(logging.ERROR)

"""Turns what git and git-lfs write on stderr into one sentence.

Sources: the messages of git 2.39, git-lfs 3.3 and OpenSSH 9.2.
"""

import contextlib
import re
from collections.abc import Iterator

from utils.host.errors import SourceError
from utils.sources.storage.git_client import GitError

# (pattern in the text: what it means), the first that matches
_MEANINGS = (
    (
        r"IDENTIFICATION HAS CHANGED",
        "the key of its server is not the one in known_hosts; ask the server's owner, then "
        "replace the key (ssh-keygen -R HOST, ssh-keyscan HOST)",
    ),
    (
        r"Host key verification failed",
        "ssh does not know the key of its server; compare the key with the one that the "
        "server's owner publishes, then add it to ~/.ssh/known_hosts (ssh-keyscan HOST)",
    ),
    (
        r"expected OID|corrupt|inflate",
        "the content of a file is not the one that the repository's digest names; repair the repository on its server",
    ),
    (
        r"could not read (User|Pass)|Authentication failed|Authorization error|Permission denied|"
        r"terminal prompts disabled|error: 40[13]|HTTP 40[13]|authentication required",
        "git is not allowed to read it; give git a login that can (a credential helper, or an ssh key)",
    ),
    (
        r"timed? ?out|too slow|i/o timeout",
        "its server does not answer; check the network",
    ),
    (
        r"Could not resolve host|Failed to connect|Connection refused|unable to connect|No route to",
        "its server cannot be reached; check the address and the network",
    ),
    (
        r"Object does not exist",
        "its server has no content for a file of git-lfs; push it again (git lfs push --all)",
    ),
    (
        r"not our ref|expected 'packfile'|couldn't find remote ref|unadvertised object",
        "it has no such commit, or its server gives only branches and tags; use a branch or a tag",
    ),
    (
        r"not found|does not exist|not appear to be a git repository|error: 404",
        "there is no repository at this address, or git is not allowed to see it; check the address and the login",
    ),
    (
        r"disconnect|unexpected EOF|early EOF|hung up|transfer closed|bad line length",
        "the download was cut off; run the same command again",
    ),
    (
        r"error: 5\d\d|HTTP 5\d\d",
        "its server failed; run the same command again later",
    ),
    (
        r"certificate|SSL",
        "its certificate is not trusted; set GIT_SSL_CAINFO, or http.sslCAInfo of git, to the file of its authority",
    ),
)


@contextlib.contextmanager
def explained(locator: str) -> Iterator[None]:
    """Raises git's errors inside the block as SourceErrors."""
    try:
        yield
    except GitError as error:
        text = str(error)
        meanings = (meaning for words, meaning in _MEANINGS if re.search(words, text, re.IGNORECASE))
        reason = next((line for line in text.splitlines() if line.startswith("fatal: ")), "")
        shown = f" ({reason.removeprefix('fatal: ')[:200]})" if reason else ""
        sentence = next(meanings, "git could not read it; check the address, or run again with --debug")
        # The server's own lines may repeat the login, and --debug prints the chain.
        lines = [line for line in text.splitlines() if not line.startswith("remote: ")]
        raise SourceError(f"git:{locator}: {sentence}{shown}") from GitError("\n".join(lines))

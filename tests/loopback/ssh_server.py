"""OpenSSH's own server on loopback, for git over ssh, with a key for the user who runs the tests.

    with SshServer(folder) as server:
        server.url            "ssh://root@127.0.0.1:41234"
        server.command        what GIT_SSH_COMMAND needs: the key, and `folder`/known_hosts
        server.host_key       the line for known_hosts, which is empty at first

ssh reads the files of the home folder in the password database, whatever HOME says, so that the command names others.
`programs` is a folder of programs that clients may call on the server, beside git's.
"""

import getpass
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

SECONDS = 20.0
# As root, sshd needs this folder, which the package's own start script makes.
PRIVILEGES = Path("/run/sshd")


class SshServer:
    """Ends when the block ends."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.programs = folder, folder / "programs"
        self.programs.mkdir(parents=True)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.url = f"ssh://{getpass.getuser()}@127.0.0.1:{self.port}"
        for name in ("host", "user"):
            _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name))
        key = " ".join((folder / "host.pub").read_text().split()[:2])
        self.host_key = f"[127.0.0.1]:{self.port} {key}\n"
        self.known_hosts = folder / "known_hosts"
        self.known_hosts.write_text("")
        client = f"IdentityFile {folder / 'user'}\nIdentitiesOnly yes\nUserKnownHostsFile {self.known_hosts}\n"
        (folder / "client").write_text(client)
        self.command = f"ssh -F {folder / 'client'}"
        settings = {
            "ListenAddress": f"127.0.0.1:{self.port}",
            "HostKey": folder / "host",
            "AuthorizedKeysFile": folder / "user.pub",
            "StrictModes": "no",
            "UsePAM": "no",
            "PasswordAuthentication": "no",
            "PermitRootLogin": "prohibit-password",
            "PidFile": "none",
            "SetEnv": f"PATH={self.programs}:{os.environ['PATH']}",
        }
        (folder / "config").write_text("".join(f"{name} {value}\n" for name, value in settings.items()))

    def __enter__(self) -> "SshServer":
        self._made = not PRIVILEGES.exists() and os.getuid() == 0
        if self._made:
            PRIVILEGES.mkdir(mode=0o755)
        program = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
        assert program, "install openssh-server"
        with (self.folder / "log").open("wb") as log:
            command = [program, "-D", "-e", "-f", str(self.folder / "config")]
            self._process = subprocess.Popen(command, stderr=log)
        self._wait()
        return self

    def _wait(self) -> None:
        deadline = time.monotonic() + SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                running = self._process.poll() is None and time.monotonic() < deadline
                assert running, (self.folder / "log").read_text()
                time.sleep(0.05)
            else:
                return

    def __exit__(self, *_: Any) -> None:
        self._process.kill()
        self._process.wait()
        if self._made:
            PRIVILEGES.rmdir()


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=30)

"""Every fault of a server, for every storage, with the real client. The tables are in rows.py and registry_rows.py.

Requests go to one process for each storage (worker.py), which answers as the child of bounded.py does. It runs with
--debug, which prints most. A slow file needs the time limit, so that test uses bounded.py itself, and looks for
temporary files that the client left after an answer and after the kill.
"""

import contextlib
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.certificates import Authority
from tests.loopback import faulty
from tests.loopback.faulty import FaultyProxy
from tests.unit.sources.storage import registry_rows, rows
from tests.unit.sources.storage.rows import CHANGED, FAULTS, UNTRUSTED, Row, Served
from tests.unit.sources.storage.worker import Worker
from utils.host.errors import SourceError
from utils.sources.storage import METADATA, STORAGES, WEIGHTS, StorageRef, bounded, parse_reference

# Below bounded.FIRST_ANSWER_SECONDS, on a busy machine.
LONGEST = 25.0
LIMIT = 5.0
WEIGHTS_BYTES = bytes(range(256)) * 40
PATTERNS = METADATA + WEIGHTS
ROWS = rows.ROWS | registry_rows.ROWS


@dataclass(frozen=True, kw_only=True)
class Station:
    """A storage's server behind a proxy, and the process that reads from it."""

    row: Row
    served: Served
    proxy: FaultyProxy
    worker: Worker
    log: Path

    @property
    def reference(self) -> StorageRef:
        return parse_reference(self.served.reference(self.proxy.url))

    def read(self, folder: Path) -> Path:
        """Fetches all files of the revision of now."""
        return self.worker.fetch(self.reference, self.worker.resolve(self.reference), PATTERNS, folder)

    def refusal(self, fault, call, *arguments):
        """The message for this fault: one sentence that names the server or the reference, and no secret."""
        started = time.monotonic()
        with self.proxy.failing(fault), pytest.raises(SourceError) as caught:
            call(*arguments)
        assert time.monotonic() - started < LONGEST
        message = str(caught.value)
        assert "could not be read (" not in message, "a foreseeable fault has a sentence of its own"
        assert "\n" not in message
        address = self.proxy.url.partition("://")[2]
        assert any(part in message for part in (str(self.reference), self.reference.locator, address)), message
        assert self.row.words.get(fault, "") in message
        assert not [secret for secret in self.row.secrets if secret in message + self.log.read_text()]
        return message


@contextlib.contextmanager
def _opened(scheme: str, folder: Path) -> Iterator[Station]:
    row = ROWS[scheme]
    home, model = folder / "home", folder / "model"
    home.mkdir()
    model.mkdir()
    (model / "config.json").write_text('{"id2label": {"0": "no", "1": "yes"}}')
    (model / "vocab.txt").write_text("[PAD]\n[UNK]\n")
    (model / "model.safetensors").write_bytes(WEIGHTS_BYTES)
    variables = {"PATH": os.environ["PATH"], "HOME": str(home), "NO_PROXY": "127.0.0.1", "TRITON_FACTORY_DEBUG": "1"}
    with contextlib.ExitStack() as stack:
        served = stack.enter_context(row.serve(model, folder))
        proxy = stack.enter_context(
            FaultyProxy(served.url, files=row.files, secrets=row.secrets, certificate=served.certificate)
        )
        log = stack.enter_context((folder / "log").open("wb"))
        worker = Worker(STORAGES[scheme], variables | served.variables(proxy.url), log, row.impatience)
        stack.callback(worker.close)
        yield Station(row=row, served=served, proxy=proxy, worker=worker, log=folder / "log")


@pytest.fixture(scope="module")
def open_station(tmp_path_factory):
    """`open_station(scheme)`: its station, which stays until that of another scheme is opened."""
    with contextlib.ExitStack() as stack:
        opened: dict[str, Station] = {}

        def open_one(scheme: str) -> Station:
            if scheme not in opened:
                stack.close()
                opened.clear()
                opened[scheme] = stack.enter_context(_opened(scheme, tmp_path_factory.mktemp(scheme)))
            return opened[scheme]

        yield open_one


def _a_server_that_fails(station, fault, folder):
    station.refusal(fault, station.read, folder)
    assert station.read(folder).is_dir(), "the next request is answered"


def _a_file_that_does_not_arrive(station, fault, folder):
    station.refusal(fault, station.read, folder)
    files = station.read(folder)
    assert (files / "model.safetensors").read_bytes() == WEIGHTS_BYTES, "the folder can be used again"


def _meets_the_time_limit(station, fault, folder):
    revision = bounded.resolve(station.reference, limit=LONGEST)
    message = station.refusal(fault, lambda: bounded.fetch(station.reference, revision, PATTERNS, folder, limit=LIMIT))
    assert list(Path(tempfile.gettempdir()).iterdir()) == []
    assert message.startswith(f"no answer for {station.reference} in 5 seconds; ")
    assert message.endswith("or allow more time with --fetch-timeout SECONDS")


def _a_change(station, fault, folder):
    revision = station.worker.resolve(station.reference)
    station.served.change()
    station.refusal(fault, station.worker.fetch, station.reference, revision, PATTERNS, folder)


def _a_private_authority(station, fault, folder):
    """The server has TLS here. A variable with the certificate of its authority is all that the user sets."""
    authority, row = Authority(folder.parent / "authority"), station.row
    server = FaultyProxy(station.served.url, files=row.files, certificate=authority.sign("server"))
    with contextlib.ExitStack() as stack:
        proxy = stack.enter_context(server)
        variables = {"PATH": os.environ["PATH"], "HOME": str(folder.parent), "NO_PROXY": "127.0.0.1"}
        variables |= station.served.variables(proxy.url)
        log = stack.enter_context(station.log.open("ab"))
        trusting = variables | {row.authority: str(authority.folder / "ca.pem")}
        scheme, before = station.reference.scheme, row.impatience + row.for_tls
        workers = [Worker(STORAGES[scheme], each, log, before) for each in (variables, trusting)]
        stack.callback(lambda: [worker.close() for worker in workers])
        first, second = (replace(station, proxy=proxy, worker=worker) for worker in workers)
        message = first.refusal(fault, first.read, folder)
        assert row.words.get(fault) or f"{first.reference} has a certificate that is not trusted; set SSL" in message
        assert (second.read(folder) / "model.safetensors").read_bytes() == WEIGHTS_BYTES


CHECKS = {
    **dict.fromkeys(faulty.OF_THE_SERVER, _a_server_that_fails),
    **dict.fromkeys(faulty.OF_FILES, _a_file_that_does_not_arrive),
    faulty.SLOW: _meets_the_time_limit,
    CHANGED: _a_change,
    UNTRUSTED: _a_private_authority,
}
CASES = [(scheme, fault) for scheme, row in ROWS.items() for fault in FAULTS if fault not in row.impossible]


@pytest.mark.long("hf: *", "https: *", "oci: *", "*: 401", "*: half a file", "*: changed after *")
@pytest.mark.parametrize(("scheme", "fault"), CASES, ids=[": ".join(case) for case in CASES])
def test_a_fault_is_reported(scheme, fault, open_station, tmp_path, environment, monkeypatch):
    station = open_station(scheme)
    environment(station.served.variables(station.proxy.url))
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.setattr(tempfile, "tempdir", None)
    check = _meets_the_time_limit if fault in station.row.left_to_the_limit else CHECKS[fault]
    check(station, fault, tmp_path / "out")


def test_every_storage_has_every_fault_or_a_reason():
    assert set(ROWS) == set(STORAGES) - {"local"}
    for row in ROWS.values():
        assert set(CHECKS) == set(FAULTS)
        assert set(row.impossible) | set(row.left_to_the_limit) | set(row.words) <= set(FAULTS)
        assert all([*row.impossible.values(), *row.left_to_the_limit.values()])
        assert row.secrets

"""`score` on a large file: its memory does not grow with the file."""

import csv
import subprocess
import sys

import pytest

from tests.clients.faulty import faulty
from tests.clients.scoring import environment

# Rows of 4,000 characters. The larger file is 80 MB, more than it may add.
SMALL, LARGE, CHARACTERS = 1_000, 20_000, 4_000
MEGABYTES = 50
PEAK = """
import resource, sys
from triton_image_client.score.main import main
code = main(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
sys.exit(code)
"""


@pytest.fixture(scope="module")
def server():
    with faulty() as running:
        running.limit = 64
        yield running


def write(path, rows):
    text = "x" * CHARACTERS
    if path.suffix == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        with pq.ParquetWriter(
            path, pa.schema([("text", pa.string())]), compression="none", use_dictionary=False
        ) as file:
            for _ in range(0, rows, 500):
                file.write_table(pa.table({"text": [text] * 500}))
        return
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["text"], *([text] for _ in range(rows))])


def peak(server, source, output):
    """Megabytes."""
    command = [sys.executable, "-c", PEAK, "--server", server.url, "--model", "lengths", source, output]
    done = subprocess.run(list(map(str, command)), env=environment(), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return int(done.stdout) / 1024


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_the_memory_does_not_grow_with_the_file(server, tmp_path, kind):
    peaks = {}
    for rows in (SMALL, LARGE):
        write(tmp_path / f"{rows}.{kind}", rows)
        peaks[rows] = peak(server, tmp_path / f"{rows}.{kind}", tmp_path / f"out{rows}.{kind}")
    assert peaks[LARGE] < peaks[SMALL] + MEGABYTES, peaks
    assert (tmp_path / f"out{LARGE}.{kind}").stat().st_size > LARGE

"""The real script with random arguments: an exit code of the table in docs/usage.md, no traceback, nothing left."""

import os
import re
import subprocess

from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.mutations import names
from tests.fuzz.profile import examples
from tests.fuzz.test_arguments import GOOD_LINE, OPTIONS
from utils import ROOT

DOCUMENTED = {0, 2, 3, 4, 5, 6, 7, 8}


def arguments():
    """Bytes as the kernel takes them: any but NUL, up to 128 KiB each."""
    raw = st.binary(max_size=30).map(lambda value: value.replace(b"\0", b""))
    long = st.integers(1000, 120_000).map(lambda count: b"a" * count)
    known = st.sampled_from(
        [*OPTIONS, *GOOD_LINE, "", "-", "--", "---", "--=", "--json=1", "-h-", "$(id)", "`id`", "*", "%s%n"]
    )
    return raw | long | known.map(os.fsencode) | names().map(lambda text: text[:120_000].encode("utf-8", "replace"))


@given(argv=st.lists(arguments(), max_size=8))
@examples(6, most=300)
def test_any_command_line(argv, tmp_path):
    # --dry-run: a valid command line writes nothing.
    command = [ROOT / "make_triton_image.sh", "--dry-run", *argv]
    done = subprocess.run(
        command, capture_output=True, timeout=60, cwd=tmp_path, env={**os.environ, "HF_HUB_OFFLINE": "1"}
    )
    expected = done.stderr.decode("utf-8", "replace")
    assert done.returncode in DOCUMENTED, expected
    assert "Traceback" not in expected
    assert (done.returncode == 0) or (
        done.stdout == b"" and len(re.findall("^error: ", expected, re.MULTILINE)) == 1
    ), expected
    assert list(tmp_path.iterdir()) == []

"""Where a message ends, for bytes that arrive in parts."""

import pytest

from deploy.supervisor.http_messages import Chunked


@pytest.mark.parametrize("line", [b"0\r\n\r\0", b"0\r\n\r", b"3\r\nabc\r", b"1f"])
def test_an_incomplete_chunk_line_waits(line):
    """It may become a line at which Triton closes the connection without a response."""
    good = b"1\r\na\r\n" + line[: line.rfind(b"\n") + 1] + (b"abc" if b"abc" in line else b"")
    assert Chunked().take(b"1\r\na\r\n" + line)[0] == len(good)

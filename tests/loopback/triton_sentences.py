"""Recorded error responses of Triton 24.10 and 26.08, whose wordings differ."""

NO_ROOM = {
    "24.10": b'{"error":"Failed to increase the shared memory pool size for key \'triton_7d71b1c0\' to 67108864 bytes. '
    b"If you are running Triton inside docker, use '--shm-size' flag to control the shared memory region size. "
    b'Error: No space left on device"}',
    "26.08": b'{"error":"Failed to increase the shared memory pool size to 67108864 bytes. '
    b"If you are running Triton inside docker, use '--shm-size' flag to control the shared memory region size. "
    b'Error: No space left on device"}',
}

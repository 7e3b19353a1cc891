"""What nvidia-smi reports about the GPUs and the driver of this machine."""

import shutil
import subprocess


def query(field: str) -> list[str]:
    """The values of a `--query-gpu` field, one per GPU; empty without nvidia-smi, a driver or a reply in 10 s."""
    program = shutil.which("nvidia-smi")
    if not program:
        return []
    command = [program, f"--query-gpu={field}", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return done.stdout.split() if done.returncode == 0 else []

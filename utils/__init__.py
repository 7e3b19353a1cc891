"""The Python package behind the entry scripts: one module per stage, one small file per storage."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

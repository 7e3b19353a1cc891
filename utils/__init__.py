"""The Python package behind the entry scripts: one module per stage, one small file per storage."""

"""Loads code of the served components, so that the build runs the same code as the server."""

import importlib.util
from types import ModuleType

from utils import ROOT


def load_shared(name: str) -> ModuleType:
    """The module model_repository/shared/`name`.py."""
    file = ROOT / "model_repository/shared" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"served_{name}", file)
    if spec is None or spec.loader is None:
        raise ImportError(f"no module at {file}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module

"""Where this code runs from: a checkout, or the package `triton-image-factory` in site-packages.

A checkout holds its environments and its build folder. An installed package must not write to site-packages: its
environments are in the cache folder, and builds go to `build` in the current folder.
"""

import os
import re
from pathlib import Path

from utils import ROOT
from utils.host.cache_folder import cache_folder

# The names of console scripts (pyproject.toml), by the script of a checkout that does the same.
COMMANDS = {
    "make_triton_image.sh": "triton-image-factory",
    "serve.sh": "triton-image-factory-serve",
    "cleanup.sh": "triton-image-factory-cleanup",
    "doctor.sh": "triton-image-factory-doctor",
    "process_template.sh": "triton-image-factory-process-template",
    "verify.sh": "triton-image-factory-verify",
}
_SCRIPT = re.compile(rf"(?:\./)?\b({'|'.join(map(re.escape, COMMANDS))})")
VERSION = re.findall(r'(?m)^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(encoding="utf-8"))[0]
INSTALLED = any(ROOT.parent.glob("triton_image_factory-*.dist-info"))


def environments_folder() -> Path:
    """The parent of the virtual environments: TRITON_FACTORY_ENVIRONMENTS, else the checkout or the cache folder."""
    if chosen := os.environ.get("TRITON_FACTORY_ENVIRONMENTS"):
        return Path(chosen).absolute()
    return cache_folder("environments") / VERSION if INSTALLED else ROOT


def build_folder() -> Path:
    """`build` in the checkout; for an installed package, in the current folder."""
    return (Path.cwd() if INSTALLED else ROOT) / "build"


def with_command_names(text: str) -> str:
    """`text` with the names of scripts replaced by those of console scripts, if the package is installed."""
    return _SCRIPT.sub(lambda match: COMMANDS[match[1]], text) if INSTALLED else text

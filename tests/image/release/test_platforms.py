"""Whether the engine runs programs of a platform: as this machine does, because an engine here shares its kernel.

No test builds for another machine and proves it: there is no base image for one here, and an emulated build takes too
long. test_push.py pushes an index with an image for arm64, which has no program.
"""

import pytest

from tests.image.conftest import runs_here
from utils.docker.platforms import require_runnable
from utils.host.errors import UsageError
from utils.targets.platforms import PLATFORMS


@pytest.mark.parametrize("platform", PLATFORMS)
def test_engine_runs_what_this_machine_runs(engine, platform, tmp_path):
    if runs_here(platform, tmp_path):
        require_runnable(engine, platform)
    else:
        with pytest.raises(UsageError, match=f"--platform {platform}: an image for it cannot be proven"):
            require_runnable(engine, platform)

"""How many processes the guard has.

One passes on the requests of several CPUs full of models, but it uses one CPU, and checks one request at a time.
"""

from .container_limits import cpu_count
from .errors import SettingError
from .log import log

NAME = "TRITON_GUARD_PROCESSES"
CPUS_EACH, MOST = 4, 16


def number(setting: int, *, has_json_log: bool) -> int:
    """`setting`, or if that is 0, one for each CPUS_EACH CPUs. Raises SettingError for several with a JSON log.

    The steps of the models report their times to one pipe, which one process reads.
    """
    chosen = setting or max(1, min(cpu_count() // CPUS_EACH, MOST))
    if chosen > 1 and has_json_log:
        if setting:
            raise SettingError(
                f"{NAME} is {setting}, but with TRITON_LOG_FORMAT=json the guard has one process; omit one"
            )
        log(f"the guard has one process instead of {chosen} ({NAME}), because TRITON_LOG_FORMAT is json")
        return 1
    return chosen

"""Removes tokens and keys from the messages of storages."""

import os
import re

_NAME_OF_A_SECRET = re.compile(r"(TOKEN|SECRET|PASSWORD|SECRET_KEY|ACCESS_KEY|ACCESS_KEY_ID|API_KEY)$")
_LOGIN_IN_A_URL = re.compile(r"(?<=://)[^/\s@]+@")
# A shorter value could be an ordinary word of the message.
_SHORTEST_SECRET = 6


def scrub(text: str, *secrets: str | None) -> str:
    """`text` without `secrets`, secrets in the environment, and `user:password@` in addresses."""
    in_environment = [value for name, value in os.environ.items() if _NAME_OF_A_SECRET.search(name)]
    for secret in [*secrets, *in_environment]:
        if secret and len(secret.strip()) >= _SHORTEST_SECRET:
            text = text.replace(secret.strip(), "***")
    return _LOGIN_IN_A_URL.sub("", text)

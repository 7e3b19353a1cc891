"""Keeps tokens and keys out of every message that leaves a storage."""

import os
import re

_NAME_OF_A_SECRET = re.compile(r"(TOKEN|SECRET|PASSWORD|SECRET_KEY|ACCESS_KEY|ACCESS_KEY_ID|API_KEY)$")
_LOGIN_IN_A_URL = re.compile(r"(?<=://)[^/\s@]+@")
# A shorter value than this could be an ordinary word, and blanking it would only garble the message.
_SHORTEST_SECRET = 6


def scrub(text: str, *secrets: str | None) -> str:
    """`text` without the given secrets, the ones in the environment, and `user:password@` in addresses."""
    in_environment = [value for name, value in os.environ.items() if _NAME_OF_A_SECRET.search(name)]
    for secret in [*secrets, *in_environment]:
        if secret and len(secret.strip()) >= _SHORTEST_SECRET:
            text = text.replace(secret.strip(), "***")
    return _LOGIN_IN_A_URL.sub("", text)

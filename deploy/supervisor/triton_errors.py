"""Errors that Triton tells by its words only: to all of these it says 500."""

from __future__ import annotations

import re

# What cannot be read of a request's JSON (its triton_json.h, in newer releases, too): no JSON, or a number where a text
# belongs. No step of a model begins its sentences so, and none is asked before.
UNREADABLE = re.compile(
    rb'\{"error":"(?:failed to parse the request JSON buffer: '
    rb'|(?:Unable to (?:parse|set) [^:"]*: |failed to get request params\.: )?attempt to (?:access|get) )'
)
# Its Python backend's words, which name the region.
NO_ROOM = re.compile(rb'\{"error":"[^"]*Failed to increase the shared memory pool size for key ')

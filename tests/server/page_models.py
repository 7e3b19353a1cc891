"""Small models for the paths that docs/tasks.md names: {path: what makes it there}."""

import json

from tests import tiny_models


def topics(folder):
    """As examples/topics leaves it, but tiny and untrained."""
    labels = ("sport", "cooking", "weather", "finance")
    tiny_models.bert(folder, labels=labels)
    (folder / "id2label.json").write_text(json.dumps(dict(enumerate(labels))), encoding="utf-8")


MODELS = {"./topics": topics}

"""What the tests of a build's plan share: what is known of its model."""

from pathlib import Path

import pytest

from tests.small_specs import LABELS
from utils.sources.fetch import Metadata
from utils.sources.labels import Labels
from utils.sources.model_config import ModelConfig
from utils.sources.storage import FetchedArtifact


@pytest.fixture
def known(tmp_path: Path) -> Metadata:
    return Metadata(
        config=ModelConfig(
            file=tmp_path / "config.json",
            model_type="bert",
            head_size=3,
            problem_type="single_label_classification",
        ),
        tokenizer=FetchedArtifact(path=tmp_path, revision="t" * 40),
        labels=Labels(texts=LABELS, source="config.json"),
        revisions={"model": "sha256:" + "0" * 16, "tokenizer": "t" * 40},
    )

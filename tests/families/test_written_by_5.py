"""Checkpoints that transformers 5 wrote, every numeric field not default, against the logits of transformers 5 itself.

The reference model, loaded here, is what is compared: test_walk.py holds the graph of each type against that.
"""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.families.outcomes import OUTCOMES
from utils import ROOT
from utils.convert import reference_model, tokenization
from utils.host import environment
from utils.host.environments import TRANSFORMERS5
from utils.host.errors import SourceError
from utils.tasks import TASKS

# Types whose config changed in version 5; WALK_ALL=1 takes all that are served.
CHANGED = ("gemma2", "gemma3", "gpt_neox", "llama", "modernbert", "phi", "phi3", "qwen3_moe")
ALL = tuple(sorted(name for name in OUTCOMES if not OUTCOMES[name].code))
TYPES = ALL if os.environ.get("WALK_ALL") == "1" else CHANGED
START = """
import runpy, sys
sys.path.append(sys.argv.pop(1))
runpy.run_module("tests.families.written_by_5", run_name="__main__")
"""
VARIANTS = ("", "-dynamic", "-linear", "-llama3", "-longrope", "-yarn")


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Folders of all types; made by transformers 5 in its own environment, with this environment's torch."""
    place = tmp_path_factory.mktemp("written")
    packages = Path(torch.__file__).parent.parent
    command = [environment.ensure(TRANSFORMERS5), "-c", START, packages, place, *TYPES]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return place


def logits_here(folder, texts):
    task = TASKS["text-classification"]
    config = reference_model.load_config(folder)
    model, tokenizer = reference_model.load_model(folder, config, task), tokenization.load_tokenizer(folder, config)
    rows = reference_model.pytorch_outputs(model, tokenizer, texts, None, names=task.graph_outputs)
    return np.array([row["logits"] for row in rows])


@pytest.mark.parametrize("model_type", TYPES)
def test_answers_as_the_version_that_wrote_it_or_is_refused_by_name(written, model_type):
    folders = [written / f"{model_type}{variant}" for variant in VARIANTS]
    folders = [folder for folder in folders if folder.is_dir()]
    assert folders
    for folder in folders:
        by_5 = json.loads((folder / "by_5.json").read_text(encoding="utf-8"))
        if model_type == "modernbert" and folder.name != "modernbert":  # version 4 has no scaling for it
            with pytest.raises(SourceError, match=r"written by transformers 5.*rope_type '\w+' for full_attention"):
                logits_here(folder, by_5["texts"])
            continue
        difference = np.abs(logits_here(folder, by_5["texts"]) - np.array(by_5["logits"])).max()
        print(f"{folder.name} {difference:.1e}")
        assert difference < 1e-4, folder.name


@pytest.mark.parametrize("model_type", CHANGED)
def test_without_the_translation_the_answers_are_others(written, model_type, monkeypatch):
    """The walk sees what it is there to see: version 4 loads such a file and answers wrongly, or fails."""
    monkeypatch.setattr(reference_model, "for_version_4", lambda content, _: content)
    monkeypatch.setattr(reference_model, "ATTENTION", {})
    by_5 = json.loads((written / model_type / "by_5.json").read_text(encoding="utf-8"))
    try:
        answers = logits_here(written / model_type, by_5["texts"])
    except SourceError:
        return
    assert np.abs(answers - np.array(by_5["logits"])).max() > 1e-3

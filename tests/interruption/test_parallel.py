"""Five builds at once in one checkout: real script, real conversion, and real Triton, set up by the first of them."""

import json
import shutil

import pytest

from tests import tiny_models
from tests.interruption.conftest import NAME, TAG, contents, link_serving, wait_for


@pytest.fixture
def fresh_serving(checkout):
    """No Triton is set up yet: one of the five builds must do it."""
    serving = checkout.root / ".venv-serving"
    shutil.rmtree(serving)
    link_serving(serving)
    assert not (serving / "tritonserver").exists()
    return serving


def test_five_concurrent_builds_with_equal_and_different_names(checkout, fresh_serving, tmp_path):
    labels = [("a", "b"), ("c", "d", "e")]
    models = [tiny_models.bert(tmp_path / "".join(each), labels=each) for each in labels]
    names = [NAME, NAME, "zebra-0", "zebra-1", NAME]
    script = str(checkout.root / "make_triton_image.sh")
    children = []
    for number, name in enumerate(names):
        model = str(models[number % 2])
        command = [script, model, model, "-", name, TAG, "4", "--no-image", "--no-measure"]
        children.append(checkout.start(command, TRITON_FACTORY_DEBUG="1"))
    for child, name in zip(children, names, strict=True):
        code, out, err = checkout.end(child, 200)
        assert code == 0, err
        assert out == f"{checkout.build / name / TAG / 'model_repository'}\n"
        assert "golden requests over HTTP and gRPC: answers equal" in err
    assert (fresh_serving / "tritonserver/bin/tritonserver").is_file()
    assert checkout.work() == []
    wait_for(lambda: not checkout.living(), "end of their children", 10)
    for number, name in enumerate(names[2:4]):
        assert labels_of(checkout.build / name / TAG, name) == list(labels[number % 2])
    # Of the three builds with one name a complete one is in place: it equals a build of its model under another name.
    last = labels_of(checkout.good, NAME)
    alone = "zebra-0" if last == list(labels[0]) else "zebra-1"
    assert differences(checkout.good, checkout.build / alone / TAG, alone) == set()


def labels_of(tree, step):
    return list(json.loads((tree / f"model_repository/{step}/1/id2label.json").read_text()).values())


def differences(tree, other, name):
    """The files that differ between the trees, except for the model name."""
    ours, theirs = (contents(each / "model_repository") for each in (tree, other))
    renamed = {key.replace(name, NAME): value.replace(name.encode(), NAME.encode()) for key, value in theirs.items()}
    return {key for key in ours.keys() | renamed.keys() if ours.get(key) != renamed.get(key)}

"""The answers of the child, called directly; tests of the process are in test_bounded.py."""

from utils.sources.storage import child


def _request(function, module="utils.sources.storage.local", **arguments):
    return {"module": module, "function": function, "reference": "the reference", "arguments": arguments}


def test_resolve_and_fetch(model_folder, tmp_path):
    assert child.answer_to(_request("resolve", locator=str(model_folder)))["value"].startswith("sha256:")
    arguments = {"locator": str(model_folder), "revision": "r", "patterns": ["*"], "destination": str(tmp_path)}
    assert child.answer_to(_request("fetch", **arguments)) == {"value": str(model_folder)}


def test_a_source_error_keeps_its_message():
    assert "does not exist" in child.answer_to(_request("resolve", locator="/no/where"))["error"]


def test_any_other_error_names_the_reference_and_its_kind():
    answer = child.answer_to(_request("resolve", locator=None))
    assert answer["error"].startswith("the reference could not be read (AttributeError")


def test_an_error_without_a_text_is_named_by_its_kind(monkeypatch):
    def fail(_locator):
        raise RuntimeError

    monkeypatch.setattr("utils.sources.storage.local.resolve", fail)
    assert "(RuntimeError);" in child.answer_to(_request("resolve", locator="x"))["error"]

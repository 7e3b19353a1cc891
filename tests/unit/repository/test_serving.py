import pytest

from utils.host.errors import UsageError
from utils.repository.serving import ServedNames, parse_names
from utils.repository.tensors import TensorSpec

ONE = (TensorSpec(name="text_input", dtype="BYTES", dims=(1,)),)
TWO = (TensorSpec(name="predicts", dtype="BYTES", dims=(3,)), TensorSpec(name="scores", dtype="FP32", dims=(3,)))


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (None, {}),
        ("text", {"": "text"}),
        ("predicts=label", {"predicts": "label"}),
        ("predicts=label,scores=p", {"predicts": "label", "scores": "p"}),
        ("predicts=label,p", {"predicts": "label", "": "p"}),
        ("текст", {"": "текст"}),
        ("=text", {"": "text"}),
    ],
)
def test_names_are_parsed(text, names):
    assert parse_names("--output-name", text) == names


@pytest.mark.parametrize("text", ["", ",", "a,", "a,b", "a=", "a=b,a=c", "a=b,,c=d", "=", "a=b,=x,y"])
def test_ambiguous_names_are_refused(text):
    with pytest.raises(UsageError) as refusal:
        parse_names("--output-name", text)
    assert refusal.value.exit_code == 2
    assert str(refusal.value).startswith(f"--output-name is {text!r}; ")
    assert "USUAL=NAME" in str(refusal.value)


def named(tensors):
    return [tensor.name for tensor in tensors]


def test_tensors_keep_their_names_by_default():
    assert ServedNames().of_inputs(ONE) == ONE
    assert ServedNames().of_outputs(TWO) == TWO


def test_only_the_names_change():
    assert ServedNames(inputs={"": "text"}).of_inputs(ONE) == (TensorSpec(name="text", dtype="BYTES", dims=(1,)),)
    assert ServedNames(inputs={"text_input": "text"}).of_inputs(ONE)[0].name == "text"
    renamed = ServedNames(outputs={"scores": "p"}).of_outputs(TWO)
    assert named(renamed) == ["predicts", "p"]
    assert [(each.dtype, each.dims) for each in renamed] == [("BYTES", (3,)), ("FP32", (3,))]
    assert named(ServedNames(outputs={"scores": "predicts", "predicts": "scores"}).of_outputs(TWO)) == [
        "scores",
        "predicts",
    ]


@pytest.mark.parametrize(
    ("names", "tensors", "parts"),
    [
        ({"": "label"}, TWO, ["--output-name 'label'", "predicts, scores"]),
        ({"label": "x"}, TWO, ["--output-name 'label'", "predicts, scores"]),
        ({"predicts": "x", "label": "y", "b": "z"}, TWO, ["--output-name 'b, label'"]),
        ({"x": "y"}, ONE, ["--output-name 'x'", "one of: text_input"]),
        ({"": "y"}, (), ["--output-name 'y'", "keeps the names of the graph"]),
        ({"predicts": "same", "scores": "same"}, TWO, ["--output-name", "two tensors"]),
        ({"predicts": "scores"}, TWO, ["--output-name", "two tensors"]),
    ],
)
def test_unknown_and_duplicate_names_are_refused(names, tensors, parts):
    with pytest.raises(UsageError) as refusal:
        ServedNames(outputs=names).of_outputs(tensors)
    assert refusal.value.exit_code == 2
    assert all(part in str(refusal.value) for part in parts), str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_refusal_names_the_option():
    with pytest.raises(UsageError, match="--input-name 'x'"):
        ServedNames(inputs={"x": "y"}).of_inputs(ONE)


@pytest.mark.parametrize(
    ("names", "served", "option"),
    [
        (ServedNames(inputs={"": "scores"}), ["scores", "predicts", "scores"], "--input-name 'scores'"),
        (ServedNames(outputs={"scores": "text"}), ["text", "predicts", "text"], "--output-name 'text'"),
        (ServedNames(outputs={"scores": "inner"}), ["text", "predicts", "inner"], "--output-name 'inner'"),
    ],
)
def test_name_of_another_tensor_is_refused(names, served, option):
    with pytest.raises(UsageError, match=f"{option} is the name of another tensor"):
        names.require_unique(served, {"inner"})


def test_only_new_names_must_be_unique():
    ServedNames().require_unique(["inner", "same", "same"], {"inner"})
    ServedNames(outputs={"scores": "p"}).require_unique(["text", "p", "inner"], {"inner"})

import pytest

from utils.host.errors import UsageError
from utils.repository.served_names import ServedNames, parse_names
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
def test_names_are_read(text, names):
    assert parse_names("--output-name", text) == names


@pytest.mark.parametrize("text", ["", ",", "a,", "a,b", "a=", "a=b,a=c", "a=b,,c=d", "=", "a=b,=x,y"])
def test_what_says_nothing_certain_is_refused(text):
    with pytest.raises(UsageError) as refusal:
        parse_names("--output-name", text)
    assert refusal.value.exit_code == 2
    assert str(refusal.value).startswith(f"--output-name is {text!r}; write NAME, or USUAL=NAME")


def named(tensors):
    return [tensor.name for tensor in tensors]


def test_without_any_name_the_tensors_stay():
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
    ("names", "tensors", "said"),
    [
        ({"": "label"}, TWO, ["--output-name 'label'", "predicts, scores"]),
        ({"label": "x"}, TWO, ["--output-name 'label'", "predicts, scores"]),
        ({"predicts": "x", "label": "y", "b": "z"}, TWO, ["--output-name 'b, label'"]),
        ({"x": "y"}, ONE, ["--output-name 'x'", "one of: text_input"]),
        ({"": "y"}, (), ["--output-name 'y'", "keeps the names of the graph"]),
        ({"predicts": "same", "scores": "same"}, TWO, ["gives two tensors one name"]),
        ({"predicts": "scores"}, TWO, ["gives two tensors one name"]),
    ],
)
def test_names_for_no_tensor_and_one_name_for_two_are_refused(names, tensors, said):
    with pytest.raises(UsageError) as refusal:
        ServedNames(outputs=names).of_outputs(tensors)
    assert refusal.value.exit_code == 2
    assert all(words in str(refusal.value) for words in said), str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_the_refusal_names_the_option():
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
def test_a_name_that_another_tensor_has_is_refused(names, served, option):
    with pytest.raises(UsageError, match=f"{option} is the name of another tensor of the pipeline"):
        names.require_apart(served, {"inner"})


def test_names_that_were_not_given_are_nobodys_fault():
    ServedNames().require_apart(["inner", "same", "same"], {"inner"})
    ServedNames(outputs={"scores": "p"}).require_apart(["text", "p", "inner"], {"inner"})

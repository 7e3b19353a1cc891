import pytest

from utils.host.errors import UsageError
from utils.options.build_spec import parse_arguments

GRAPH = ("./detection.onnx", "-", "-", "text_detection", "v1", "8", "--task", "onnx")
FROZEN = ("./east.pb", "-", "-", "text_detection", "v1", "8", "--task", "onnx")


def models(*options, arguments=GRAPH):
    return parse_arguments([*arguments, *options]).source.models


def test_the_served_model_comes_first_and_each_has_its_options(tmp_path):
    found = models(
        "--add-model", "reader=hf:user/reader@v2", "--add-model", "Third_1=./third.pb",
        "--golden-inputs", "a=b.npz", "--golden-inputs", "reader=./r.npz",
        "--inputs", "Third_1=x:0,scope/y:0", "--outputs", "Third_1=z:0",
    )  # fmt: skip
    assert [(name, str(each.reference), each.origin) for name, each in found.by_name.items()] == [
        ("text_detection", "./detection.onnx", "graph"),
        ("reader", "hf:user/reader@v2", "graph"),
        ("Third_1", "./third.pb", "graph"),
    ]
    assert [str(each.golden_inputs) for each in found.by_name.values()] == ["a=b.npz", "r.npz", "None"]
    third = found.added["Third_1"]
    assert (third.inputs, third.outputs) == (("x:0", "scope/y:0"), ("z:0",))


@pytest.mark.parametrize(
    ("arguments", "origin", "layout"),
    [
        (GRAPH, "graph", "direct"),
        (("./m.onnx", "-", "-", "--task", "logits"), "graph", "direct"),
        (("hf:user/graphs", "-", "-", "--task", "logits"), "graph", "direct"),
        (("hf:user/graphs", "-", "-", "--task", "onnx"), "graph", "direct"),
        (("hf:user/model", "hf:user/model", "-", "--task", "logits"), "transformers", "direct"),
        (("./model", "./model", "-"), "transformers", None),
    ],
)
def test_what_model_is(arguments, origin, layout):
    spec = parse_arguments(list(arguments))
    assert spec.source.models.served.origin == origin
    assert layout in (None, spec.serving.layout)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--add-model", "reader"], "write NAME=FILE"),
        (["--add-model", "reader="], "write NAME=FILE"),
        (["--add-model", "../x=f.onnx"], "cannot name a Triton model"),
        (["--add-model", "model_onnx=f.onnx"], "--add-model 'model_onnx'"),
        (["--add-model", "text_detection=f.onnx"], "names two models"),
        (["--add-model", "a=f.onnx", "--add-model", "a=g.onnx"], "names two models"),
        (["--golden-inputs", "a.npz", "--golden-inputs", "b.npz"], "has that already"),
        (["--inputs", "x:0"], "--inputs 'x:0' is for frozen"),
        (["--add-model", "a=f.pb"], "--inputs and --outputs"),
        (["--add-model", "a=f.pb", "--inputs", "a=x,"], "joined by commas"),
        (["--opset", "17"], "MODEL is a graph already"),
        (["--max-length", "17"], "MODEL is a graph already"),
        (["--format", "onnx"], "MODEL is a graph already"),
        (["--output-name", "y"], "keeps the names of the graph"),
    ],
)
def test_what_cannot_be_is_refused(options, message):
    with pytest.raises(UsageError, match=message):
        models(*options)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("./m.onnx", "./t", "-"), "serve the graph itself with --task logits or onnx"),
        (("./m.pb", "./t", "-"), "is a ready graph"),
        (("./m.onnx", "./t", "-", "--task", "onnx"), "give - as TOKENIZER"),
        (("./m.onnx", "-", "l.json", "--task", "onnx"), "has no labels"),
        (("./m", "-", "-"), "TOKENIZER is -, which is for ready graphs only"),
        (("./m", "./m", "-", "--golden-inputs", "f.npz"), "is no ready graph"),
        (("./m", "./m", "-", "--add-model", "a=f.onnx"), "--add-model a=f.onnx"),
        (FROZEN, "is a frozen TensorFlow graph"),
        ((*FROZEN, "--inputs", "x:0"), "is a frozen TensorFlow graph"),
    ],
)
def test_a_model_of_another_kind_is_refused(arguments, message):
    with pytest.raises(UsageError, match=message):
        parse_arguments(list(arguments))


def test_a_list_in_the_configuration_file(tmp_path):
    file = tmp_path / "build.yaml"
    file.write_text(
        "model: ./detection.onnx\ntokenizer: '-'\nid2label: '-'\ntask: onnx\n"
        "add_model:\n  - a=./a.onnx\n  - b=./b.onnx\n"
        "golden-inputs: b=./b.npz\n"
    )
    found = parse_arguments(["--config", str(file)]).source.models.by_name
    assert list(found) == ["ensemble_model", "a", "b"]
    assert str(found["b"].golden_inputs) == "b.npz"


@pytest.mark.parametrize("text", ["task: [onnx]", "add_model: {a: b}", "add_model: [[a=b]]"])
def test_only_what_may_be_a_list_is_one(tmp_path, text):
    file = tmp_path / "build.yaml"
    file.write_text(f"model: ./m.onnx\ntokenizer: '-'\nid2label: '-'\n{text}\n")
    with pytest.raises(UsageError, match="must be one value"):
        parse_arguments(["--config", str(file)])

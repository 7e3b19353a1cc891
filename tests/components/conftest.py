"""Runs a component's model.py without Triton."""

import importlib.util
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from utils.repository.render import COMPONENTS_ROOT

NUMPY_TYPES = {
    "TYPE_STRING": np.object_,
    "TYPE_INT64": np.int64,
    "TYPE_INT32": np.int32,
    "TYPE_FP32": np.float32,
    "TYPE_UINT8": np.uint8,
}
SHARED = tuple(file.stem for file in (COMPONENTS_ROOT / "shared").glob("*.py"))
OWN = ("answer_spans", "entailment_scores", "token_entities")  # of one component


class Tensor:
    def __init__(self, name: str, array: Any) -> None:
        self._name, self._array = name, array

    def name(self) -> str:
        return self._name

    def as_numpy(self) -> Any:
        return self._array


class TritonError:
    INVALID_ARG, INTERNAL, UNAVAILABLE = "INVALID_ARG", "INTERNAL", "UNAVAILABLE"

    def __init__(self, message: str, code: str = INTERNAL) -> None:
        self._message, self._code = message, code

    def message(self) -> str:
        return self._message

    def code(self) -> str:
        return self._code


class InferenceResponse:
    """Like the real one, it takes tensors or an error. Here the outputs are accessible by name.

    `parameters` as in python_backend from release 25.02 on. No such release is on this machine.
    """

    def __init__(
        self,
        output_tensors: Iterable[Tensor] = (),
        error: TritonError | None = None,
        parameters: Mapping[str, Any] | None = None,
    ) -> None:
        self.outputs = {tensor.name(): tensor.as_numpy() for tensor in output_tensors}
        self.error, self.parameters = error, dict(parameters or {})
        for name, value in self.parameters.items():
            if type(name) is not str or type(value) not in (bool, int, str):
                raise TypeError(f"Expect parameters values to have type bool/int/str, found type {type(value)}")


class OlderResponse:
    """Before that release."""

    def __init__(self, output_tensors: Iterable[Tensor] = (), error: TritonError | None = None) -> None:
        self.outputs, self.error = {tensor.name(): tensor.as_numpy() for tensor in output_tensors}, error


class TritonModelException(Exception):
    """The real one is raised for a model that is not loaded."""


class CallResponse:
    """The response of another model; like the real one, its error is a method."""

    def __init__(self, answer: Any) -> None:
        self.outputs = None if isinstance(answer, str) else answer
        self._error = TritonError(answer) if isinstance(answer, str) else None

    def has_error(self) -> bool:
        return self._error is not None

    def error(self) -> TritonError | None:
        return self._error


class InferenceRequest:
    """A call of a model beside this one: `MODELS` holds {name: function of {input: array}}, which
    gives {output: array}, or a text: what it failed with.
    """

    def __init__(
        self, model_name: str, requested_output_names: Iterable[str], inputs: Iterable[Tensor], **_options: object
    ) -> None:
        self.model, self.names, self.inputs = model_name, requested_output_names, inputs

    def exec(self) -> CallResponse:
        if self.model not in MODELS:
            raise TritonModelException(f"no model '{self.model}'")
        return CallResponse(MODELS[self.model]({tensor.name(): tensor.as_numpy() for tensor in self.inputs}))


MODELS: dict[str, Callable[[dict[str, Any]], Any]] = {}


class Request:
    def __init__(self, id: str | bytes = "", parameters: Any = (), **inputs: Any) -> None:
        self.inputs = {name: Tensor(name, array) for name, array in inputs.items()}
        self._id, self._parameters = id, dict(parameters)

    def parameters(self) -> str:
        """JSON, as from Triton's stub; empty without any."""
        return json.dumps(self._parameters) if self._parameters else ""

    def request_id(self) -> str:
        """Triton's stub decodes the id's bytes at this call."""
        return self._id.decode() if isinstance(self._id, bytes) else self._id


class Metric:
    """A series in `SERIES`. Like the real one, a counter never decreases."""

    def __init__(self, family: "MetricFamily", labels: Mapping[str, str]) -> None:
        self.family, self.key = family, (family.name, *sorted(labels.items()))
        SERIES.setdefault(self.key, 0.0)

    def increment(self, value: float) -> None:
        assert value >= 0 or self.family.kind == MetricFamily.GAUGE
        SERIES[self.key] += value

    def set(self, value: float) -> None:
        assert self.family.kind == MetricFamily.GAUGE
        SERIES[self.key] = value


class MetricFamily:
    COUNTER, GAUGE = "counter", "gauge"

    def __init__(self, name: str, description: str, kind: str) -> None:
        assert description
        self.name, self.kind = name, kind

    def Metric(self, labels: Mapping[str, str]) -> Metric:
        return Metric(self, labels)


SERIES: dict[Any, float] = {}


@pytest.fixture
def pb_utils(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A fake `triton_python_backend_utils`: the real module exists only inside the stub process that Triton starts."""
    fake: Any = ModuleType("triton_python_backend_utils")
    fake.Tensor, fake.TritonError, fake.InferenceResponse = Tensor, TritonError, InferenceResponse
    fake.triton_string_to_numpy = NUMPY_TYPES.__getitem__
    fake.get_input_tensor_by_name = lambda request, name: request.inputs.get(name)
    fake.InferenceRequest, fake.TritonModelException = InferenceRequest, TritonModelException
    fake.get_output_tensor_by_name = lambda response, name: Tensor(name, response.outputs[name])
    fake.PreferredMemory, fake.TRITONSERVER_MEMORY_CPU = (lambda kind, number: (kind, number)), 0
    fake.MetricFamily, fake.series = MetricFamily, SERIES
    fake.models = MODELS
    monkeypatch.setitem(sys.modules, fake.__name__, fake)
    yield fake
    MODELS.clear()
    SERIES.clear()


@pytest.fixture
def load_component(pb_utils: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """`load_component(name, inputs, outputs, files)`: an initialized model; tensors are {name: TYPE_*}.

    Its code is loaded from model_repository/, its files lie in a repository of their own, as after assembly.
    """
    models: list[Any] = []

    def load(
        name: str, inputs: Mapping[str, str], outputs: Mapping[str, str], files: Mapping[str, Any], dims: Any = ()
    ) -> Any:
        code = COMPONENTS_ROOT / name / "1"
        for shared in (*SHARED, *OWN):
            monkeypatch.delitem(sys.modules, shared, raising=False)
        monkeypatch.syspath_prepend(str(code))
        spec = importlib.util.spec_from_file_location(f"component_{name}", code / "model.py")
        assert spec and spec.loader
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        version = tmp_path / "served" / name / "7"
        version.mkdir(parents=True)
        for file, content in files.items():
            if isinstance(content, bytes):
                (version / file).write_bytes(content)
                continue
            text = content if isinstance(content, str) else json.dumps(content)
            (version / file).write_text(text, encoding="utf-8")
        config = {
            side: [
                {"name": tensor, "data_type": dtype, "dims": dict(dims).get(tensor, [-1])}
                for tensor, dtype in tensors.items()
            ]
            for side, tensors in (("input", inputs), ("output", outputs))
        }
        model = module.TritonPythonModel()
        models.append(model)
        model.initialize(
            {
                "model_config": json.dumps(config),
                "model_repository": str(version.parent),
                "model_version": version.name,
                "model_name": name,
            }
        )
        for shared in (*SHARED, *OWN):
            monkeypatch.delitem(sys.modules, shared, raising=False)
        return model

    yield load
    for model in models:
        if hasattr(model, "finalize"):
            model.finalize()


@pytest.fixture
def request_of() -> type[Request]:
    """`request_of(name=array)`: a request for `execute`."""
    return Request


@pytest.fixture
def words() -> Any:
    """A tokenizer of whole words: [PAD] 0, [UNK] 1, [CLS] 2, [SEP] 3, then a to h as 4 to 11."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    vocabulary = {token: index for index, token in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *"abcdefgh"])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS]:0 $A:0 [SEP]:0",
        pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    return tokenizer


@pytest.fixture
def settings_of() -> Callable[..., dict[str, Any]]:
    """`settings_of(**changes)`: the settings of a frozen tokenizer; `padding` changes are merged or None."""

    def make(max_length: int = 8, truncation_side: str = "right", padding: Any = ()) -> dict[str, Any]:
        standard = {"id": 0, "type_id": 0, "token": "[PAD]", "side": "right"}
        return {
            "max_length": max_length,
            "truncation_side": truncation_side,
            "padding": None if padding is None else {**standard, **dict(padding)},
        }

    return make


@pytest.fixture
def shared(pb_utils: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The shared modules by name, loaded on access, like in a build."""
    from utils.repository.served_code import load_shared

    class Shared:
        def __getattr__(self, name: str) -> ModuleType:
            module = load_shared(name)
            setattr(self, name, module)
            return module

    # Shared modules import one another by their plain names, as side by side in a version folder.
    for name in ("step_responses", "request_choices", "tokenization", "scoring", "metric_families", "model_metrics"):
        monkeypatch.setitem(sys.modules, name, load_shared(name))
    return Shared()

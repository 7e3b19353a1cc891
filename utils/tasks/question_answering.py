"""Extractive question answering: a question and a context in, the answering part of the context out."""

from collections.abc import Mapping, Sequence
from typing import Any

from utils.convert.task import ModelTask, TaskOption
from utils.convert.types import Example, ReferenceModel, Settings, Tensors
from utils.host.errors import SourceError
from utils.proof.golden import TensorValue, texts
from utils.repository.pipeline import Graph, Ingredients, Step
from utils.repository.served_code import load_shared
from utils.repository.steps import calling_step, graph_step, text_input
from utils.repository.tensors import TensorSpec
from utils.sources.model_config import ModelConfig

# Limits of transformers' QuestionAnsweringPipeline in tokens: a row, the overlap of two rows, an answer.
LONGEST_ROW, LONGEST_OVERLAP, LONGEST_ANSWER = 384, 128, 15

HANDLE_IMPOSSIBLE_ANSWER = TaskOption(
    name="handle_impossible_answer", help="return an empty answer if the context has none"
)

# Longer than a row, with no two equal sentences: several parts, one best answer.
LONG_CONTEXT = " ".join(
    f"In {1870 + number} the harbour master of {town} counted {37 * number % 101 + 3} ships."
    for number, town in enumerate(["Bergen", "Cádiz", "Gdańsk", "Выборг", "Izmir", "Lübeck", "Πειραιάς"] * 9)
)
EXAMPLES = (
    ("Where do I live?", "My name is Wolfgang and I live in Berlin, near the Spree."),
    ("Who jumps over the dog?", "The quick brown fox jumps over the lazy dog."),
    ("Где находится музей?", "Русский музей находится в Санкт-Петербурге, на площади Искусств."),
    ("今日の天気は？", "今日はとても良い天気ですね。明日は雨が降るでしょう。"),
    ("수도는 어디입니까?", "대한민국의 수도는 서울이고, 가장 큰 항구는 부산이다."),
    ("أين يقع البرج؟", "يقع برج إيفل في باريس، عاصمة فرنسا."),
    ("Combien coûte le fromage ?", "À l'épicerie, le fromage coûte 12,50 € — e\u0301 ou \u00e9 — et le pain 2 € 😀."),
    ("How many ships did the harbour master of Gdańsk count in 1893?", LONG_CONTEXT),
    ("?", "a"),
)


def row_sizes(max_length: int | None) -> dict[str, int]:
    """`max_seq_len` and `doc_stride` as the pipeline derives them from the model's token limit."""
    longest = min(max_length or LONGEST_ROW, LONGEST_ROW)
    return {"max_seq_len": longest, "doc_stride": min(longest // 2, LONGEST_OVERLAP)}


def question_answering(ingredients: Ingredients) -> Step:
    """The served model: it splits contexts, calls the graph and finds the best part."""
    sizes = row_sizes(ingredients.tokenization.get("max_length"))
    return calling_step(ingredients, "question_answering", {**ingredients.settings, **sizes})


def outputs(_: Settings, __: Graph) -> tuple[TensorSpec, ...]:
    """The answer, its score, and the characters of the context from `start` to before `end`."""
    dtypes = {"answer": "BYTES", "score": "FP32", "start": "INT64", "end": "INT64"}
    return tuple(TensorSpec(name=name, dtype=dtype, dims=(1,)) for name, dtype in dtypes.items())


def resolve_settings(_: ModelConfig, __: tuple[str, ...], options: Settings) -> Settings:
    """Nothing depends on the model's config."""
    return {
        "max_answer_len": LONGEST_ANSWER,
        "handle_impossible_answer": bool(options.get("handle_impossible_answer")),
    }


def answer(reference: ReferenceModel, settings: Settings, examples: Sequence[Example]) -> list[Tensors]:
    """The answers of transformers' pipeline."""
    from transformers import QuestionAnsweringPipeline

    _require_question_first(reference.tokenizer)
    tokenizer = reference.fitting_tokenizer()
    pipeline = QuestionAnsweringPipeline(model=reference.model, tokenizer=tokenizer, device=-1)
    answers = []
    for example in examples:
        sizes = row_sizes(reference.max_length)
        _, room = _tokens_and_room(tokenizer, reference.max_length, example)
        if room > 0:
            sizes["doc_stride"] = load_shared("context_rows").overlap(room, sizes["doc_stride"])
        answers.append(_tensors(pipeline(**example, **settings, **sizes)))
    return answers


def fits(tokenizer: Any, _: Settings, limit: int | None, example: Example) -> bool:
    """Whether rows of `limit` tokens can hold the question and part of the context."""
    rows, (tokens, room) = load_shared("context_rows"), _tokens_and_room(tokenizer, limit, example)
    count: int = rows.count_rows(tokens, room, row_sizes(limit)["doc_stride"])
    return 0 < count <= int(rows.MOST_ROWS)


def _tokens_and_room(tokenizer: Any, limit: int | None, example: Example) -> tuple[int, int]:
    """The context's tokens, and how many of them fit into a row beside the question."""
    sequences = tokenizer(example["question"], example["context"]).sequence_ids(0)
    tokens = sum(sequence == 1 for sequence in sequences)
    return tokens, row_sizes(limit)["max_seq_len"] - (len(sequences) - tokens)


def _require_question_first(tokenizer: Any) -> None:
    """SourceError for a tokenizer that pads on the left: transformers then puts the context before the question."""
    if tokenizer.init_kwargs.get("padding_side", type(tokenizer).padding_side) == "left":
        raise SourceError(
            f"the tokenizer {type(tokenizer).__name__} pads on the left, so transformers puts the context before the "
            "question, and the image the question first; save it with padding_side 'right' if the model was "
            "fine-tuned so"
        )


def _tensors(result: Mapping[str, Any]) -> Tensors:
    numbers = {"score": "FP32", "start": "INT64", "end": "INT64"}
    values = {name: TensorValue(datatype=dtype, shape=(1,), data=(result[name],)) for name, dtype in numbers.items()}
    return {"answer": texts([result["answer"]]), **values}


TASK = ModelTask(
    name="question-answering",
    pipeline_tag="question-answering",
    export_task="question-answering",
    auto_class="AutoModelForQuestionAnswering",
    graph_outputs=("start_logits", "end_logits"),
    inputs=(text_input("question"), text_input("context")),
    outputs=outputs,
    layouts={"direct": (question_answering, graph_step)},
    formats=("onnx",),  # its step calls the graph by tensor names, which only ONNX keeps
    resolve_settings=resolve_settings,
    examples=tuple({"question": question, "context": context} for question, context in EXAMPLES),
    probes=lambda texts: [{"question": "What is it?", "context": text} for text in texts],
    texts=lambda _, example: ((example["question"], example["context"]),),
    fits=fits,
    answer=answer,
    takes_labels=False,
    options=(HANDLE_IMPOSSIBLE_ANSWER,),
    right_answers=lambda _settings, _size: "answers",
)

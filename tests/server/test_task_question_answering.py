"""question-answering: built by one command, served by the real Triton, equal to transformers' own pipeline."""

import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tests import tiny_models
from tests.selection import mostly_long
from tests.server.published import Increase, expected_names
from tests.server.task_requests import ask, build, original, post
from utils.host.build_tree import BUILD
from utils.repository.corpus import GOLDEN_TEXTS

NAME = "test-question-answering"
# family -> options of the build; the pipeline knows them by the same names
BUILDS = {"bert": {}, "roberta": {"handle_impossible_answer": True}, "xlm-roberta": {}}
SENTENCE = "In {} the harbour master of Gdańsk, Выборг and 東京 counted {} ships — e\u0301 or \u00e9! 😀 "
LONG = "".join(SENTENCE.format(1800 + number, number * 37 % 101) for number in range(60))
CONTEXTS = (
    *(text for text in GOLDEN_TEXTS if text.strip()),
    LONG,
    LONG[:600],
    "   leading and\ttrailing\n\n space  ",
    "one" * 300,
    "漢字" * 400,
    "The word the THE The is there four times, the word.",
    "\u0000 \u200b [CLS] inside [SEP] of <s> it </s>",
)
QUESTIONS = (
    "How many ships did he count in 1837?",
    "Кто прыгает через собаку?",
    "何ですか",
    "  ? ",
    "[CLS] what <s> is [MASK] it",
)
# Each context with two questions.
ROWS = [(QUESTIONS[(place + step) % 5], context) for place, context in enumerate(CONTEXTS) for step in (0, 2)]


@pytest.fixture(scope="module", params=mostly_long(BUILDS, "roberta"))
def served(request, tmp_path_factory, serve_repository):
    """(address, the pipeline's answer to (question, context)); built with batches of four."""
    folder = tmp_path_factory.mktemp("models") / request.param
    model = tiny_models.as_question_answering(folder, tiny_models.FAMILIES[request.param])
    options = BUILDS[request.param]
    name = f"{NAME}-{request.param}"
    flags = [f"--{option.replace('_', '-')}" for option in options]
    done = build(model, model, "-", name, "v1", 4, "--task", "question-answering", *flags)
    assert done.returncode == 0, done.stderr
    assert "golden requests over HTTP and gRPC: answers equal" in done.stderr
    pipeline = original(model, "AutoModelForQuestionAnswering", "QuestionAnsweringPipeline")
    address = serve_repository(BUILD / name / "v1/model_repository").address
    yield address, name, lambda question, context: pipeline(question=question, context=context, **options)
    shutil.rmtree(BUILD / name, ignore_errors=True)


def inputs(rows):
    return {"question": [[question] for question, _ in rows], "context": [[context] for _, context in rows]}


def check(rows, answer, expected):
    for place, (_, context) in enumerate(rows):
        values = {name: array[place, 0] for name, array in answer.items()}
        text = values["answer"].decode("utf-8")
        assert [values[key] for key in ("start", "end")] == [expected[place][key] for key in ("start", "end")]
        assert text == expected[place]["answer"]
        assert text == context[values["start"] : values["end"]]
        np.testing.assert_allclose(values["score"], expected[place]["score"], atol=1e-5, rtol=1e-3)


def test_answers_as_the_pipeline(served):
    address, name, pipeline = served
    expected = [pipeline(*row) for row in ROWS]
    assert len({answer["answer"] for answer in expected}) > len(ROWS) / 3, "the corpus must get different answers"
    for start in range(0, len(ROWS), 4):
        rows, answers = ROWS[start : start + 4], expected[start : start + 4]
        check(rows, ask("grpc", address, name, inputs(rows)), answers)
        check(rows[:1], ask("http", address, name, inputs(rows[:1])), answers[:1])
    dtypes = {key: value.dtype for key, value in ask("grpc", address, name, inputs(ROWS[:1])).items()}
    assert dtypes == {"answer": np.object_, "score": np.float32, "start": np.int64, "end": np.int64}


def test_the_metrics_count_parts_and_scores(served, serve_repository):
    address, name, _ = served
    increase = Increase(serve_repository(BUILD / name / "v1/model_repository").metrics, name)
    rows = [ROWS[0], (QUESTIONS[0], LONG)]
    scores = ask("grpc", address, name, inputs(rows))["score"][:, 0]
    increase.wait_for(
        best_score_count=2,
        best_score_bucket={"0.1": sum(scores <= 0.1), "+Inf": 2},
        execution_seconds_count=1,
    )
    assert increase.by_label("text_tokens_count") > 2, "the long context has several parts"
    assert increase.by_label("graph_tokens_total", "kind")["text"] == increase.by_label("text_tokens_sum")
    assert increase.names() == expected_names(BUILD / name / "v1")


@pytest.mark.long
@pytest.mark.parametrize("tokens", [32, 48])
def test_short_rows_leave_room_for_the_longest_question(tokens, tmp_path, serve_repository):
    """transformers' own overlap, half a row, is more than some questions leave: its pipeline ends with a panic."""
    model = tiny_models.as_question_answering(tmp_path / "model", tiny_models.bert)
    name = f"{NAME}-short-{tokens}"
    try:
        done = build(model, model, "-", name, "v1", 4, "--task", "question-answering", "--max-length", tokens)
        assert done.returncode == 0, done.stderr
        assert "golden requests over HTTP and gRPC: answers equal" in done.stderr
        address = serve_repository(BUILD / name / "v1/model_repository").address
        for length in range(1, 40):
            question = "the " * length
            status, body = post(address, name, {"question": ([1, 1], [question]), "context": ([1, 1], [LONG[:200]])})
            assert status == 200 or (status, "the text is so long" in body["error"]) == (400, True), body
    finally:
        shutil.rmtree(BUILD / name, ignore_errors=True)


def test_rows_too_short_for_any_question_are_refused_in_a_sentence(tmp_path):
    model = tiny_models.as_question_answering(tmp_path / "model", tiny_models.bert)
    done = build(model, model, "-", NAME, "v1", 4, "--task", "question-answering", "--max-length", "7")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--max-length is '7'; it must be a whole number from 8" in done.stderr.splitlines()[-1]


BAD = {
    "empty question": (("", "a context"), "input 'question', row 0: the text is empty"),
    "empty context": (("a question", ""), "input 'context', row 0: the text is empty"),
    "question without end": (("why " * 400, LONG), "input 'question', row 0: the text is so long"),
    "no UTF-8": ((b"\xff", "a context"), "input 'question', row 0: not valid UTF-8"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_input_is_refused_by_name(served, case):
    address, name, _ = served
    row, sentence = BAD[case]
    with pytest.raises(Exception, match=sentence):
        ask("http", address, name, inputs([row]))
    if isinstance(row[0], str):
        status, body = post(address, name, {"question": ([1, 1], [row[0]]), "context": ([1, 1], [row[1]])})
        assert (status, "Traceback" in body["error"]) == (400, False)


def test_bad_requests_cost_no_other_its_answer(served):
    address, name, pipeline = served
    expected = pipeline(*ROWS[0])

    def one(number):
        row = BAD["empty context"][0] if number % 2 else ROWS[0]
        return post(address, name, {"question": ([1, 1], [row[0]]), "context": ([1, 1], [row[1]])})

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(one, range(40)))
    assert [status for status, _ in answers] == [200, 400] * 20
    texts = {output["data"][0] for _, body in answers[::2] for output in body["outputs"] if output["name"] == "answer"}
    assert texts == {expected["answer"]}

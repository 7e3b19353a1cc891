"""The clients for threads: one class for each task of the factory.

Each takes the address of the server and the keyword arguments of settings.Options. A call takes one text or a list.
"""

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, overload

from triton_image_client import rows, tasks
from triton_image_client.answers import Answer, Classification, Entity, Ranking, SparseEmbedding, Word, ranked, stacked
from triton_image_client.calls import Array
from triton_image_client.models import Model, Row
from triton_image_client.rows import Picture, Texts
from triton_image_client.sessions import Session
from triton_image_client.settings import Options, Settings, parse
from triton_image_client.tasks import Task

if TYPE_CHECKING:
    from typing_extensions import Unpack  # in typing since Python 3.11

Value = TypeVar("Value")
C = TypeVar("C", bound="Client[Any]")


class Client(Generic[Value]):
    """What all clients have. Closes its connections at the end of a `with` block, or with close()."""

    task: ClassVar[Task[Any]]

    def __init__(self, server: str, **options: "Unpack[Options]") -> None:
        self.settings = Settings(address=parse(server), **options)
        self._session: Session[Value] = Session(self.task, self.settings)

    def describe(self) -> Model[Value]:
        """The served model: its name, versions, tensors and, if it is known, the most rows in a request."""
        return self._session.model()

    def _answers(self, made: Sequence[Row], **parameters: str | int | None) -> list[Value]:
        chosen = {name: value for name, value in parameters.items() if value is not None}
        return self._session.answers(made, chosen)

    def close(self) -> None:
        """Closes the connections. A later call opens new ones."""
        self._session.close()

    def __enter__(self: C) -> C:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Texts(Client[Value]):
    """A text in."""

    @overload
    def __call__(self, texts: str) -> Value: ...
    @overload
    def __call__(self, texts: Texts) -> list[Value]: ...
    def __call__(self, texts: str | Texts) -> Value | list[Value]:
        """One value for a str, a list of values for a list."""
        values = self._answers(rows.columns(text_input=texts))
        return values[0] if isinstance(texts, str) else values


class Classifier(_Texts[Classification]):
    """text-classification: the labels of a text."""

    task = tasks.CLASSIFICATION


class TokenClassifier(_Texts[list[Entity]]):
    """token-classification: the entities of a text."""

    task = tasks.TOKEN_CLASSIFICATION


class SparseEmbedder(_Texts[SparseEmbedding]):
    """sparse-embedding: the tokens that stand for a text, and their weights."""

    task = tasks.SPARSE_EMBEDDING


class PairClassifier(Client[Classification]):
    """text-pair-classification: the labels of two texts."""

    task = tasks.PAIR_CLASSIFICATION

    @overload
    def __call__(self, texts: str, pairs: str) -> Classification: ...
    @overload
    def __call__(self, texts: Texts, pairs: str | Texts) -> list[Classification]: ...
    def __call__(self, texts: str | Texts, pairs: str | Texts) -> Classification | list[Classification]:
        """Of two texts, or of two lists of the same length. A str beside a list belongs to each of its texts."""
        values = self._answers(rows.columns(text_input=texts, text_pair=pairs))
        return values[0] if isinstance(texts, str) and isinstance(pairs, str) else values


class QuestionAnswerer(Client[Answer]):
    """question-answering: the part of a context that answers a question."""

    task = tasks.QUESTION_ANSWERING

    @overload
    def __call__(self, questions: str, contexts: str) -> Answer: ...
    @overload
    def __call__(self, questions: Texts, contexts: str | Texts) -> list[Answer]: ...
    def __call__(self, questions: str | Texts, contexts: str | Texts) -> Answer | list[Answer]:
        """Of a question and its context, or of two lists of the same length. A str belongs to each text of a list."""
        values = self._answers(rows.columns(question=questions, context=contexts))
        return values[0] if isinstance(questions, str) and isinstance(contexts, str) else values


class ZeroShotClassifier(Client[Classification]):
    """zero-shot-classification: which of any labels a text has."""

    task = tasks.ZERO_SHOT

    @overload
    def __call__(self, texts: str, labels: Texts) -> Classification: ...
    @overload
    def __call__(self, texts: Texts, labels: Texts) -> list[Classification]: ...
    def __call__(self, texts: str | Texts, labels: Texts) -> Classification | list[Classification]:
        """All labels, best first, for each text."""
        values = self._answers(rows.with_labels(texts, labels))
        return values[0] if isinstance(texts, str) else values


class Ranker(Client[tuple[float, ...]]):
    """text-ranking: how well texts answer a query."""

    task = tasks.RANKING

    def __call__(self, query: str, texts: Texts) -> list[Ranking]:
        """The texts with their scores, best first."""
        return ranked(texts, self._answers(rows.columns(text_input=query, text_pair=texts)))


class Embedder(Client[Array]):
    """feature-extraction: the embedding of a text, FP32."""

    task = tasks.EMBEDDING

    def __call__(self, texts: str | Texts, *, prompt_name: str | None = None, dimensions: int | None = None) -> Array:
        """[D] for a str, [N, D] for a list. `prompt_name` and `dimensions`: as the model was built to accept them."""
        made = rows.columns(text_input=texts)
        values = self._answers(made, prompt_name=prompt_name, dimensions=dimensions)
        return values[0] if isinstance(texts, str) else stacked(values)


class Ocr(Client[list[Word]]):
    """ocr: the words of a picture."""

    task = tasks.OCR

    @overload
    def __call__(self, images: Picture) -> list[Word]: ...
    @overload
    def __call__(self, images: list[Picture] | tuple[Picture, ...]) -> list[list[Word]]: ...
    def __call__(self, images: Picture | list[Picture] | tuple[Picture, ...]) -> list[Word] | list[list[Word]]:
        """The words of a JPEG or PNG file (its bytes, or its Path), in reading order."""
        values = self._answers(rows.pictures(images))
        return values[0] if isinstance(images, bytes | Path) else values

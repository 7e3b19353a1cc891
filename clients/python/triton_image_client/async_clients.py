"""The clients for asyncio: one class for each task of the factory.

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
from triton_image_client.sessions import AsyncSession
from triton_image_client.settings import Options, Settings, parse
from triton_image_client.tasks import Task

if TYPE_CHECKING:
    from typing_extensions import Unpack  # in typing since Python 3.11

Value = TypeVar("Value")
C = TypeVar("C", bound="AsyncClient[Any]")


class AsyncClient(Generic[Value]):
    """What all clients have. Closes its connections at the end of a `async with` block, or with aclose()."""

    task: ClassVar[Task[Any]]

    def __init__(self, server: str, **options: "Unpack[Options]") -> None:
        self.settings = Settings(address=parse(server), **options)
        self._session: AsyncSession[Value] = AsyncSession(self.task, self.settings)

    async def describe(self) -> Model[Value]:
        """The served model: its name, versions, tensors and, if it is known, the most rows in a request."""
        return await self._session.model()

    async def _answers(self, made: Sequence[Row], **parameters: str | int | None) -> list[Value]:
        chosen = {name: value for name, value in parameters.items() if value is not None}
        return await self._session.answers(made, chosen)

    async def aclose(self) -> None:
        """Closes the connections. A later call opens new ones."""
        await self._session.close()

    async def __aenter__(self: C) -> C:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


class _AsyncTexts(AsyncClient[Value]):
    """A text in."""

    @overload
    async def __call__(self, texts: str) -> Value: ...
    @overload
    async def __call__(self, texts: Texts) -> list[Value]: ...
    async def __call__(self, texts: str | Texts) -> Value | list[Value]:
        """One value for a str, a list of values for a list."""
        values = await self._answers(rows.columns(text_input=texts))
        return values[0] if isinstance(texts, str) else values


class AsyncClassifier(_AsyncTexts[Classification]):
    """text-classification: the labels of a text."""

    task = tasks.CLASSIFICATION


class AsyncTokenClassifier(_AsyncTexts[list[Entity]]):
    """token-classification: the entities of a text."""

    task = tasks.TOKEN_CLASSIFICATION


class AsyncSparseEmbedder(_AsyncTexts[SparseEmbedding]):
    """sparse-embedding: the tokens that stand for a text, and their weights."""

    task = tasks.SPARSE_EMBEDDING


class AsyncPairClassifier(AsyncClient[Classification]):
    """text-pair-classification: the labels of two texts."""

    task = tasks.PAIR_CLASSIFICATION

    @overload
    async def __call__(self, texts: str, pairs: str) -> Classification: ...
    @overload
    async def __call__(self, texts: Texts, pairs: str | Texts) -> list[Classification]: ...
    async def __call__(self, texts: str | Texts, pairs: str | Texts) -> Classification | list[Classification]:
        """Of two texts, or of two lists of the same length. A str beside a list belongs to each of its texts."""
        values = await self._answers(rows.columns(text_input=texts, text_pair=pairs))
        return values[0] if isinstance(texts, str) and isinstance(pairs, str) else values


class AsyncQuestionAnswerer(AsyncClient[Answer]):
    """question-answering: the part of a context that answers a question."""

    task = tasks.QUESTION_ANSWERING

    @overload
    async def __call__(self, questions: str, contexts: str) -> Answer: ...
    @overload
    async def __call__(self, questions: Texts, contexts: str | Texts) -> list[Answer]: ...
    async def __call__(self, questions: str | Texts, contexts: str | Texts) -> Answer | list[Answer]:
        """Of a question and its context, or of two lists of the same length. A str belongs to each text of a list."""
        values = await self._answers(rows.columns(question=questions, context=contexts))
        return values[0] if isinstance(questions, str) and isinstance(contexts, str) else values


class AsyncZeroShotClassifier(AsyncClient[Classification]):
    """zero-shot-classification: which of any labels a text has."""

    task = tasks.ZERO_SHOT

    @overload
    async def __call__(self, texts: str, labels: Texts) -> Classification: ...
    @overload
    async def __call__(self, texts: Texts, labels: Texts) -> list[Classification]: ...
    async def __call__(self, texts: str | Texts, labels: Texts) -> Classification | list[Classification]:
        """All labels, best first, for each text."""
        values = await self._answers(rows.with_labels(texts, labels))
        return values[0] if isinstance(texts, str) else values


class AsyncRanker(AsyncClient[tuple[float, ...]]):
    """text-ranking: how well texts answer a query."""

    task = tasks.RANKING

    async def __call__(self, query: str, texts: Texts) -> list[Ranking]:
        """The texts with their scores, best first."""
        return ranked(texts, await self._answers(rows.columns(text_input=query, text_pair=texts)))


class AsyncEmbedder(AsyncClient[Array]):
    """feature-extraction: the embedding of a text, FP32."""

    task = tasks.EMBEDDING

    async def __call__(
        self, texts: str | Texts, *, prompt_name: str | None = None, dimensions: int | None = None
    ) -> Array:
        """[D] for a str, [N, D] for a list. `prompt_name` and `dimensions`: as the model was built to accept them."""
        made = rows.columns(text_input=texts)
        values = await self._answers(made, prompt_name=prompt_name, dimensions=dimensions)
        return values[0] if isinstance(texts, str) else stacked(values)


class AsyncOcr(AsyncClient[list[Word]]):
    """ocr: the words of a picture."""

    task = tasks.OCR

    @overload
    async def __call__(self, images: Picture) -> list[Word]: ...
    @overload
    async def __call__(self, images: list[Picture] | tuple[Picture, ...]) -> list[list[Word]]: ...
    async def __call__(self, images: Picture | list[Picture] | tuple[Picture, ...]) -> list[Word] | list[list[Word]]:
        """The words of a JPEG or PNG file (its bytes, or its Path), in reading order."""
        values = await self._answers(rows.pictures(images))
        return values[0] if isinstance(images, bytes | Path) else values

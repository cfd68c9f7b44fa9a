"""What the line says now: statements, and what makes each of them untrue.

Pure: nothing of Qt or napari.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto

from napari_sam2.errors import ModelError, OutputError


class Change(Enum):
    """What happens in the window and can make a statement untrue."""

    MOVIE = auto()
    """Another movie is chosen, or the same is read otherwise."""
    MODEL = auto()
    """Another model is chosen, or the chosen one is ready."""
    FOLDER = auto()
    """Masklets go elsewhere."""
    EDIT = auto()
    """Somebody did a step that undo takes back."""
    SELECTION = auto()
    """Another object is the one that the next click is about."""
    BEGUN = auto()
    """Tracking has begun."""
    ENDED = auto()
    """Tracking has ended; its error is no answer to what came before."""
    IDLE = auto()
    """The worker has nothing left to do."""


DEEDS = frozenset(
    {Change.MOVIE, Change.FOLDER, Change.EDIT, Change.SELECTION, Change.BEGUN}
)
"""What people do: an answer to one deed has been read when the next is done."""


class Topic(Enum):
    """What a statement is about; of each topic the last one counts."""

    ANSWER = auto()
    """What somebody did, and what came of it, or went wrong."""
    WORK = auto()
    """What the worker is busy with."""
    RUN = auto()
    """How far tracking is."""


ENDS = {
    Topic.ANSWER: DEEDS,
    Topic.WORK: frozenset({Change.MODEL, Change.IDLE}),
    Topic.RUN: frozenset({Change.ENDED}),
}


@dataclass(frozen=True, slots=True)
class Statement:
    """Something that the line says as long as it is true.

    Attributes
    ----------
    text
        For people.
    topic
        What it is about.
    until
        Which changes make it untrue.
    is_error
        Whether it says what went wrong.
    """

    text: str
    topic: Topic = Topic.ANSWER
    until: frozenset[Change] = DEEDS
    is_error: bool = False


class Statements:
    """All that is true now; the latest is shown.

    What the worker is busy with renews its text in its place: it covers no answer that
    came after it began, and is seen again when that answer has had its time.
    """

    def __init__(self) -> None:
        self._said: dict[Topic, Statement] = {}  # oldest first

    @property
    def current(self) -> Statement | None:
        """The latest statement that is still true."""
        return next(reversed(self._said.values()), None)

    def say(self, statement: Statement) -> None:
        """Say something, instead of what was said about the same."""
        if statement.topic is Topic.ANSWER:
            self._said.pop(statement.topic, None)
        self._said[statement.topic] = statement

    def note(self, change: Change) -> None:
        """Drop what is not true any more."""
        self._said = {
            topic: said
            for topic, said in self._said.items()
            if change not in said.until
        }


def ends_of(error: Exception) -> Iterable[Change]:
    """Return what takes the cause of an error away.

    A model that cannot be loaded is no matter of clicks: only another one helps, or the
    same once it is ready. Where nothing can be written, another folder helps, or what
    is done next tells again.
    """
    if isinstance(error, ModelError):
        return (Change.MODEL,)
    if isinstance(error, OutputError):
        return (Change.MOVIE, Change.FOLDER, Change.EDIT, Change.BEGUN)
    return (*DEEDS, Change.MODEL)

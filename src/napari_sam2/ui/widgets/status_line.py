"""What the line says now: what goes on, what went wrong, and what makes it untrue."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

import numpy as np
from napari.utils.notifications import notification_manager, show_error
from napari.utils.theme import get_theme
from qtpy.QtCore import Qt
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QLabel, QSizePolicy

from napari_sam2.engine import Order
from napari_sam2.errors import ModelError, NapariSam2Error, OutputError
from napari_sam2.session.planning.plan import AROUND_A_FRAME

if TYPE_CHECKING:
    from napari.viewer import Viewer

LINES = 3


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
    """Something that the line says as long as it is true."""

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


class StatusLine(QLabel):
    """Shows what is true now; errors stand in a box, and are notified by napari too."""

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self._viewer = viewer
        self._statements = Statements()
        self._suggestion = Statement("")
        self.setWordWrap(True)
        self.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
        # A long path must not make the dock wider.
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        # Panels below do not jump when a message is longer than the last one.
        self.setMinimumHeight(LINES * self.fontMetrics().lineSpacing())
        self.setObjectName("napari-sam2-status")

    def say(self, text: str, topic: Topic = Topic.ANSWER) -> None:
        """Show what came of something, or what goes on, as long as it is true."""
        self._statements.say(Statement(text, topic, ENDS[topic]))
        self._show()

    def complain(self, error: Exception) -> None:
        """Show what went wrong: a person's error as it is, ours with its traceback."""
        if isinstance(error, NapariSam2Error):
            text = str(error)
            show_error(text)
        else:
            text = f"{type(error).__name__}: {error}"
            notification_manager.receive_error(type(error), error, error.__traceback__)
        ends = frozenset(ends_of(error))
        self._statements.say(Statement(f"⚠ {text}", until=ends, is_error=True))
        self._show()

    @contextmanager
    def complaining(self) -> Iterator[None]:
        """Show what goes wrong inside, which ends there, if a person can mend it."""
        try:
            yield
        except NapariSam2Error as error:
            self.complain(error)

    def suggest(self, text: str) -> None:
        """Say what can be done next, while there is nothing else to say."""
        self._suggestion = Statement(text)
        self._show()

    def note(self, change: Change, *_what: object) -> None:
        """Drop what is not true any more."""
        self._statements.note(change)
        self._show()

    def _show(self) -> None:
        said = self._statements.current or self._suggestion
        self.setStyleSheet(self._box() if said.is_error else "")
        self.setText(said.text)

    def _box(self) -> str:
        box = QColor(get_theme(self._viewer.theme).error.as_hex())
        return (
            f"QLabel {{ background: {box.name()}; color: {readable_on(box).name()}; "
            "border-radius: 2px; padding: 2px; }"
        )


def readable_on(background: QColor) -> QColor:
    """Return black or white, whichever is told better from a background."""
    black, white = QColor("black"), QColor("white")
    return max(black, white, key=lambda text: contrast(text, background))


def contrast(one: QColor, other: QColor) -> float:
    """Return how well two colours are told apart, 1…21, as WCAG 2 defines it."""

    def luminance(color: QColor) -> float:
        parts = (color.redF(), color.greenF(), color.blueF())
        linear = [
            part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
            for part in parts
        ]
        return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def answer_text(
    found: Sequence[int], missed: Sequence[int], *, is_next_new: bool = False
) -> str:
    """Say which objects an answer has masks of; that some were taken out, if none.

    Parameters
    ----------
    found, missed
        Objects with a mask where they were clicked on, and without.
    is_next_new
        Whether the next click is about another object.
    """
    if missed:
        return f"Nothing found here for {_named(missed)}: drag a box, or Ctrl+Z."
    if not found:
        return "Taken out."
    if is_next_new:
        return (
            f"{_named(found).capitalize()} is there. Click on the next cell, or on it "
            "to correct it; then Track."
        )
    return (
        f"{_named(found).capitalize()} is there. Click again to correct it, N for the "
        "next one, or Track."
    )


def waiting_text(found: Sequence[int], order: Order) -> str:
    """Say what becomes of objects that were clicked on while others are tracked."""
    who = _named(found).capitalize()
    if order.is_repair or order.direction in AROUND_A_FRAME:
        return f"{who} is there, and waits: Track (G) when this run has ended."
    return f"{who} is there, and is tracked when this run is through."


def _named(object_ids: Sequence[int]) -> str:
    return f"object {', '.join(map(str, object_ids))}"

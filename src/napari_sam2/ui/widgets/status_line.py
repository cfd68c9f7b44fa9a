"""The line that says what goes on and what went wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from napari.utils.notifications import notification_manager, show_error
from napari.utils.theme import get_theme
from qtpy.QtCore import Qt
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QLabel, QSizePolicy

from napari_sam2.engine import Order
from napari_sam2.errors import NapariSam2Error
from napari_sam2.session.planning.plan import AROUND_A_FRAME
from napari_sam2.ui.widgets.statements import (
    ENDS,
    Change,
    Statement,
    Statements,
    Topic,
    ends_of,
)

if TYPE_CHECKING:
    from napari.viewer import Viewer

LINES = 3


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

    def suggest(self, text: str) -> None:
        """Say what can be done next, while there is nothing else to say."""
        self._suggestion = Statement(text)
        self._show()

    def note(self, change: Change) -> None:
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

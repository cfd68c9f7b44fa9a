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

from napari_sam2.errors import NapariSam2Error

if TYPE_CHECKING:
    from napari.viewer import Viewer

LINES = 3


class StatusLine(QLabel):
    """Shows one message; errors stand in a box, and are notified by napari too."""

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self._viewer = viewer
        self.setWordWrap(True)
        self.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
        # A long path must not make the dock wider.
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        # Panels below do not jump when a message is longer than the last one.
        self.setMinimumHeight(LINES * self.fontMetrics().lineSpacing())
        self.setObjectName("napari-sam2-status")

    def say(self, text: str) -> None:
        """Show what goes on."""
        self.setStyleSheet("")
        self.setText(text)

    def complain(self, error: Exception) -> None:
        """Show what went wrong: a person's error as it is, ours with its traceback."""
        if isinstance(error, NapariSam2Error):
            text = str(error)
            show_error(text)
        else:
            text = f"{type(error).__name__}: {error}"
            notification_manager.receive_error(type(error), error, error.__traceback__)
        box = QColor(get_theme(self._viewer.theme).error.as_hex())
        self.setStyleSheet(
            f"QLabel {{ background: {box.name()}; color: {readable_on(box).name()}; "
            "border-radius: 2px; padding: 2px; }"
        )
        self.setText(f"⚠ {text}")


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


def answer_text(found: Sequence[int], missed: Sequence[int]) -> str:
    """Say which objects an answer has masks of; that some were taken out, if none."""
    if missed:
        return f"Nothing found here for {_named(missed)}: drag a box, or Ctrl+Z."
    if not found:
        return "Taken out."
    return (
        f"{_named(found).capitalize()} is there. Click again to correct it, N for the "
        "next one, or Track."
    )


def _named(object_ids: Sequence[int]) -> str:
    return f"object {', '.join(map(str, object_ids))}"

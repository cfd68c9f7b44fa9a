"""A small picture of what the model sees, asked for when it is looked at."""

from __future__ import annotations

import numpy as np
from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QImage, QPixmap, QResizeEvent
from qtpy.QtWidgets import QCheckBox, QLabel, QSizePolicy, QVBoxLayout, QWidget

from napari_sam2.ui.widgets.timers import single_shot

PATIENCE_MS = 120
"""A cursor that moves on within so long asks for nothing."""

HEIGHT = 140
RGB_DIMENSIONS = 3


class InputPicture(QWidget):
    """Shows one frame through the mapping; the worker makes it."""

    requested = Signal()
    """A picture of the frame at the cursor is wanted."""

    def __init__(self, *, shown: bool) -> None:
        super().__init__()
        self.box = QCheckBox("What the model &sees")
        self.box.setToolTip("The frame at the cursor as the model sees it")
        self.box.setChecked(shown)
        self.label = QLabel()
        self.label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.label.setFixedHeight(HEIGHT)
        self.label.setAccessibleName("What the model sees")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(self.box)
        column.addWidget(self.label)
        self._image: QImage | None = None
        self._pause = single_shot(self, self.requested, PATIENCE_MS)
        self.box.toggled.connect(self._on_toggled)
        self.label.setVisible(shown)

    def ask(self) -> None:
        """Ask for a picture soon, unless nobody looks."""
        if self.box.isChecked():
            self._pause.start()

    def show_picture(self, picture: np.ndarray | None) -> None:
        """Show a picture, ``(Y, X, 3)`` uint8; None for an empty place."""
        if picture is None:
            self._image = None
            self.label.clear()
            return
        if picture.ndim != RGB_DIMENSIONS or picture.dtype != np.uint8:
            raise ValueError(f"{picture.dtype} {picture.shape} is no (Y, X, 3) uint8")
        rows = np.ascontiguousarray(picture)
        height, width, samples = rows.shape
        image = QImage(
            rows.tobytes(), width, height, samples * width, QImage.Format.Format_RGB888
        )
        self._image = image.copy()  # the bytes are not kept
        self._fit()

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Fit the picture to the new width."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        if self._image is None:
            return
        fitted = QPixmap.fromImage(self._image).scaled(
            max(self.width(), 1),
            HEIGHT,
            Qt.AspectRatioMode.KeepAspectRatio,
            Qt.TransformationMode.SmoothTransformation,
        )
        self.label.setPixmap(fitted)

    def _on_toggled(self, shown: bool) -> None:
        self.label.setVisible(shown)
        self.ask()

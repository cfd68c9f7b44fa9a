"""What the colours of the timeline mean."""

from __future__ import annotations

import numpy as np
from qtpy.QtCore import QRect, QSize, Qt
from qtpy.QtGui import QColor, QPainter, QPaintEvent, QPalette
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_sam2.ui.layers.colors import trust_colors

BAR_WIDTH, BAR_HEIGHT = 60, 8
TEXT_WIDTH = 52


class TrustScale(QWidget):
    """A bar from doubtful to sure."""

    def __init__(self) -> None:
        super().__init__()
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setToolTip(
            "Trust of a mask. A pixel shows the least trusted of its frames.\n"
            "● anchor: clicks or a box   ◆ anchor: a mask\n"
            "thin line: absent   stripes: locked   line below: reviewed\n"
            "pale: out of date, to be tracked again"
        )

    def sizeHint(self) -> QSize:
        """Ask for room for the bar and both words."""
        return QSize(BAR_WIDTH + 2 * TEXT_WIDTH, 16)

    def paintEvent(self, _event: QPaintEvent | None) -> None:
        """Draw the bar."""
        painter = QPainter(self)
        font = painter.font()
        font.setPixelSize(10)
        painter.setFont(font)
        painter.setPen(self.palette().color(QPalette.ColorRole.WindowText))
        height = self.height()
        ends = Qt.AlignmentFlag.AlignVCenter
        painter.drawText(
            QRect(0, 0, TEXT_WIDTH - 4, height),
            ends | Qt.AlignmentFlag.AlignRight,
            "doubtful",
        )
        painter.drawText(
            QRect(TEXT_WIDTH + BAR_WIDTH + 4, 0, TEXT_WIDTH, height), ends, "sure"
        )
        colors = trust_colors(np.linspace(0, 1, BAR_WIDTH))
        top = (height - BAR_HEIGHT) // 2
        for x, (red, green, blue) in enumerate(colors.tolist()):
            color = QColor(int(red), int(green), int(blue))
            painter.fillRect(TEXT_WIDTH + x, top, 1, BAR_HEIGHT, color)
        painter.end()

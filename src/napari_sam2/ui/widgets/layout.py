"""How the dock lies: a column of sections, and a strip below the viewer."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from qtpy.QtCore import QEvent, QObject, QSize, Qt
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractSpinBox,
    QComboBox,
    QGroupBox,
    QLineEdit,
    QScrollArea,
    QSplitter,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from napari_sam2.ui.widgets.panel import BARE


class WheelGuard(QObject):
    """Keeps the wheel from lists and numbers that nobody has clicked on.

    Parameters
    ----------
    root
        All lists and numbers in it are guarded; it also owns the guard.
    """

    def __init__(self, root: QWidget) -> None:
        super().__init__(root)
        for kind in (QComboBox, QAbstractSpinBox):
            for widget in root.findChildren(kind):
                self.add(widget)

    def add(self, widget: QWidget) -> None:
        """Guard one more."""
        widget.setFocusPolicy(Qt.FocusPolicy.StrongFocus)  # not by the wheel
        widget.installEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Hand the wheel on to what is scrolled."""
        if event is None or event.type() != QEvent.Type.Wheel:
            return False
        if not isinstance(watched, QWidget) or watched.hasFocus():
            return False
        event.ignore()
        return True


def leave_keys(root: QWidget) -> None:
    """Leave the keyboard at the picture when buttons are clicked and paths are given.

    Qt hands it on when a clicked button is disabled: the next key that was meant for
    the picture is written into a text field.
    """
    for button in root.findChildren(QAbstractButton):
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    for edit in root.findChildren(QLineEdit):
        if not isinstance(edit.parent(), (QAbstractSpinBox, QComboBox)):
            edit.returnPressed.connect(edit.clearFocus)


SCROLL_BAR_WIDTH = 16
LEAST_WIDTH = 372
"""Pixels of a column: neither rows that share the room nor the table are cut then."""
STRIP_HEIGHT = 310
"""Pixels that timeline and plots like to have; on a small screen they get fewer."""

FOCUS_COLOR = "#3b7de0"
"""Stands out by 3.5 : 1 from the backgrounds of both of napari's themes."""

FOCUS_STYLE = f"""
QPushButton:focus, QComboBox:focus, QCheckBox:focus {{
    border: 1px solid {FOCUS_COLOR};
}}
"""
"""napari does not show which button the keyboard is at."""


def lay_out_column(owner: QWidget, top: QWidget, sections: Sequence[QWidget]) -> Column:
    """Lay sections below each other, in an area that scrolls, under what stays."""
    content = QWidget()
    content.setStyleSheet(FOCUS_STYLE)
    column = QVBoxLayout(content)
    column.setContentsMargins(4, 0, 4, 0)
    column.setSpacing(6)
    for one in sections:
        column.addWidget(one)
    column.addStretch(1)
    area = Column(content)
    outer = QVBoxLayout(owner)
    outer.setContentsMargins(0, 0, 0, 0)
    outer.addWidget(top)
    outer.addWidget(area)
    top.setContentsMargins(12, 6, 8, 0)
    leave_keys(owner)
    return area


class Column(QScrollArea):
    """Scrolls up and down; it is as wide as what is unfolded in it needs."""

    def __init__(self, content: QWidget) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setFrameShape(QScrollArea.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setWidget(content)
        self._fit()

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Follow the content, which Qt lets this object watch."""
        if event is not None and event.type() == QEvent.Type.LayoutRequest:
            self._fit()
        return bool(super().eventFilter(watched, event))

    def keep_in_place(self, section: QWidget, change: Callable[[], None]) -> None:
        """Change what lies above a section that is in sight; that stays there."""
        before = section.y()
        change()
        content, bar = self.widget(), self.verticalScrollBar()
        layout = None if content is None else content.layout()
        if content is None or layout is None or bar is None:
            return
        layout.activate()
        content.adjustSize()
        bar.setValue(max(0, bar.value() + section.y() - before))

    def _fit(self) -> None:
        content = self.widget()
        if content is not None:
            needed = content.minimumSizeHint().width() + SCROLL_BAR_WIDTH
            self.setMinimumWidth(max(LEAST_WIDTH, needed))


class TimeStrip(QTabWidget):
    """Timeline and plots, one at a time, below the viewer.

    Parameters
    ----------
    timeline, plots
        The two panels; the second is offered once there is something to plot.
    beside
        Further panels that come and go beside the plots.
    """

    def __init__(self, timeline: QGroupBox, plots: QGroupBox, *beside: QWidget) -> None:
        super().__init__()
        page = QSplitter(Qt.Orientation.Horizontal)
        self.addTab(timeline, timeline.title())
        self.addTab(page, plots.title())
        for panel in (timeline, plots):
            panel.setTitle("")
            panel.setStyleSheet(BARE)
        for widget in (plots, *beside):
            page.addWidget(widget)
        self.setDocumentMode(True)
        self.offer_plots(False)
        self.setObjectName("napari-sam2-time-strip")
        leave_keys(self)

    def offer_plots(self, is_offered: bool) -> None:
        """Let the plots be chosen, or not."""
        self.setTabVisible(1, is_offered)

    def sizeHint(self) -> QSize:
        """Ask for room for plots, which are not there yet when it is laid out."""
        return QSize(super().sizeHint().width(), STRIP_HEIGHT)

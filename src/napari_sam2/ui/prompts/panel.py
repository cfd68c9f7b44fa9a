"""Panel: what the next click is about, and where prompts come from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal
from qtpy.QtGui import QAction, QColor, QIcon, QPixmap
from qtpy.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QSpinBox,
    QWidget,
)

from napari_sam2.prompts import MAX_OBJECT_ID
from napari_sam2.ui.keys.bindings import shown_key
from napari_sam2.ui.keys.keys import key_named
from napari_sam2.ui.widgets.connections import Connections
from napari_sam2.ui.widgets.layer_combo import LayerCombo
from napari_sam2.ui.widgets.panel import More, Panel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari.viewer import Viewer

SWATCH = 14
"""Side of a colour swatch in pixels."""


class PromptPanel(Panel):
    """Asks for the object that is clicked on, and for what the next click means."""

    new_points_requested = Signal()
    points_changed = Signal()
    """Another points layer was chosen."""
    object_changed = Signal(int)
    object_changed_by_hand = Signal()
    """The same, where a person typed it or asked for the next one."""
    each_new_changed = Signal(bool)
    """Whether each click is about a new object."""
    polarity_changed = Signal(bool)
    new_object_requested = Signal()
    undo_requested = Signal()
    redo_requested = Signal()

    def __init__(self, viewer: Viewer, connections: Connections) -> None:
        super().__init__("Clicks")
        self._is_told = False
        self._create(viewer, connections)
        self._lay_out()
        self.points_combo.layer_changed.connect(self.points_changed)
        self.new_points_button.clicked.connect(self.new_points_requested)
        self.new_object_button.clicked.connect(self.new_object_requested)
        self.object_spin.valueChanged.connect(self._on_object)
        self.each_new_box.toggled.connect(self.each_new_changed)
        self.positive_button.toggled.connect(self.polarity_changed)
        self.undo_button.clicked.connect(self.undo_requested)
        self.redo_button.clicked.connect(self.redo_requested)

    def _create(self, viewer: Viewer, connections: Connections) -> None:
        self.tool_button = QPushButton()
        self.tool_button.setCheckable(True)
        self.more = More()
        self.points_combo = LayerCombo(viewer, _is_points, connections, "our own")
        self.points_combo.setToolTip("A layer of points that are clicks")
        self.new_points_button = QPushButton("New points layer")
        self.new_points_button.setToolTip(
            "Make a layer for clicks and choose its tool for adding points"
        )
        self.object_spin = QSpinBox()
        self.object_spin.setRange(1, MAX_OBJECT_ID)
        self.object_spin.setToolTip("The object that the next click is about")
        self.object_swatch = QLabel()
        self.object_swatch.setFixedWidth(SWATCH)
        self.object_swatch.setToolTip("The colour of its mask and its clicks")
        self.new_object_button = QPushButton("New (N)")
        self.new_object_button.setToolTip("The next free object number")
        self.each_new_box = QCheckBox("&Each click is a new object")
        self.each_new_box.setToolTip(
            "A click beside all objects begins another one, and one on a mask corrects "
            "it; otherwise clicks are about the object above"
        )
        self.positive_button = QPushButton(" Click inside")
        self.positive_button.setToolTip("The next click is inside the object")
        self.negative_button = QPushButton(" outside (T)")
        self.negative_button.setToolTip(
            "The next click is outside the object. T turns the last click round"
        )
        self._polarity = QButtonGroup(self)
        for button in (self.positive_button, self.negative_button):
            button.setCheckable(True)
            self._polarity.addButton(button)
        self.positive_button.setChecked(True)
        self.undo_button = QPushButton("Undo")
        self.undo_button.setToolTip("Take the last step back, whatever it was (Ctrl+Z)")
        self.redo_button = QPushButton("Redo")
        self.redo_button.setToolTip("Do the step again (Ctrl+Shift+Z)")

    def _lay_out(self) -> None:
        self.form.addRow(self.tool_button)
        # In one row, not beside a column of names: a narrow dock would cut the button.
        self.form.addRow(
            _row(
                *(QLabel("Object"), self.object_swatch),
                *(self.object_spin, self.new_object_button),
            )
        )
        self.form.addRow(self.each_new_box)
        self.form.addRow(_row(self.positive_button, self.negative_button))
        self.add_row("", _row(self.undo_button, self.redo_button))
        self.more.add_row("Points", self.points_combo)
        self.more.add_row("", self.new_points_button)
        self.form.addRow(self.more)

    @property
    def points(self) -> Any:
        """The chosen points layer, or None."""
        return self.points_combo.layer

    @property
    def object_id(self) -> int:
        """The object that the next click is about."""
        return int(self.object_spin.value())

    @property
    def is_positive(self) -> bool:
        """Whether the next click is inside the object."""
        return bool(self.positive_button.isChecked())

    @property
    def is_each_new(self) -> bool:
        """Whether each click is about a new object."""
        return bool(self.each_new_box.isChecked())

    def set_each_new(self, is_each_new: bool) -> None:
        """Let each click be about a new object, or about the one that is shown."""
        self.each_new_box.setChecked(is_each_new)

    def set_tool(self, action: QAction) -> None:
        """Show the button of the tool on the picture."""
        key = shown_key(key_named("toggle").keys[0])
        button = self.tool_button
        button.setText(f"{action.text()} ({key})")
        button.setIcon(action.icon())
        button.setToolTip(action.toolTip())
        button.setChecked(action.isChecked())
        button.clicked.connect(action.trigger)
        # Where the tool cannot be switched on, its button stays off too.
        action.changed.connect(lambda: button.setChecked(action.isChecked()))
        button.clicked.connect(lambda: button.setChecked(action.isChecked()))

    def show_object(self, object_id: int) -> None:
        """Show which object the next click is about."""
        self._is_told = True
        self.object_spin.setValue(object_id)
        self._is_told = False

    def _on_object(self, object_id: int) -> None:
        self.object_changed.emit(object_id)
        if not self._is_told:
            self.object_changed_by_hand.emit()

    def set_polarity(self, positive: bool) -> None:
        """Choose what the next click means."""
        button = self.positive_button if positive else self.negative_button
        button.setChecked(True)

    def show_polarity_colors(self, positive: str, negative: str) -> None:
        """Show in the buttons which colour a click's rim will have."""
        self.positive_button.setIcon(QIcon(_swatch(QColor(positive))))
        self.negative_button.setIcon(QIcon(_swatch(QColor(negative))))

    def show_object_color(self, rgba: Sequence[float]) -> None:
        """Show which colour the object has."""
        color = QColor.fromRgbF(*(float(part) for part in rgba))
        self.object_swatch.setPixmap(_swatch(color))


def _is_points(layer: object) -> bool:
    from napari.layers import Points

    return isinstance(layer, Points)


def _row(*widgets: QWidget) -> QHBoxLayout:
    """Lay widgets side by side, the flexible ones sharing the room alike."""
    row = QHBoxLayout()
    row.setContentsMargins(0, 0, 0, 0)
    for widget in widgets:
        is_label = isinstance(widget, QLabel)
        if not is_label:
            widget.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        row.addWidget(widget, 0 if is_label else widget.sizeHint().width())
    return row


def _swatch(color: QColor) -> QPixmap:
    pixmap = QPixmap(SWATCH, SWATCH)
    pixmap.fill(color)
    return pixmap

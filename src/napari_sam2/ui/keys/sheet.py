"""A sheet of all keys and gestures, which stays open beside the work."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Qt
from qtpy.QtGui import QKeyEvent, QKeySequence
from qtpy.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QHeaderView,
    QLabel,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_sam2.ui.keys.bindings import shown_key, shown_modifier
from napari_sam2.ui.keys.keys import (
    GESTURES,
    KEYS,
    LIST_KEYS,
    TIMELINE_KEYS,
    Gesture,
    Ground,
    Key,
    key_named,
)

HEADING = "While the SAM 2 tool is on"
ON_OUR_LAYERS = "While the dock is open"
IN_THE_LIST = "While the list of objects has the keyboard"
ON_THE_TIMELINE = "While the timeline has the keyboard"
ROW_HEIGHT = 22
FOOTNOTE = (
    "These keys work whatever layer is chosen, unless that layer has a use of its own "
    "for them. {keys} go through the plugin's history on the plugin's layers, in place "
    "of napari's. All other keys are napari's."
)


def gesture_rows(gestures: Sequence[Gesture] = GESTURES) -> list[tuple[str, str]]:
    """Return ``(motion, what it does)`` of each gesture, for this platform."""
    signs = {name: shown_modifier(name) for name in ("Control", "Shift", "Alt")}
    return [
        (one.motion.format(**signs), one.title.format(Shift=signs["Shift"].strip("+")))
        for one in gestures
    ]


def key_rows() -> list[tuple[str, str]]:
    """Return ``(keys, what they do)`` of each entry of the table."""
    return [
        (" or ".join(shown_key(key) for key in entry.keys), _title(entry))
        for entry in KEYS
    ]


class KeySheet(QDialog):
    """The sheet; Escape, or its own key, closes it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("SAM 2 Tracker: keys and gestures")
        self.setModal(False)
        self.table = _table(
            [
                (HEADING, gesture_rows()),
                (ON_OUR_LAYERS, key_rows()),
                (IN_THE_LIST, gesture_rows(LIST_KEYS)),
                (ON_THE_TIMELINE, gesture_rows(TIMELINE_KEYS)),
            ]
        )
        keys = [shown_key(entry.keys[0]) for entry in KEYS if entry.instead]
        note = QLabel(FOOTNOTE.format(keys=" and ".join(keys)))
        note.setWordWrap(True)
        column = QVBoxLayout(self)
        column.addWidget(self.table)
        column.addWidget(note)
        self.resize(560, 760)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Close with the key that opened the sheet."""
        own = QKeySequence(key_named("key_sheet").keys[0])
        if event is not None and QKeySequence(event.key()) == own:
            self.close()
        else:
            super().keyPressEvent(event)


def _title(entry: Key) -> str:
    """Return what a key does, and where if not on all our layers."""
    if entry.grounds == frozenset(Ground):
        return entry.title
    where = " and ".join(one.value for one in Ground if one in entry.grounds)
    return f"{entry.title} (on {where})"


def _table(sections: Sequence[tuple[str, Sequence[tuple[str, str]]]]) -> QTableWidget:
    table = QTableWidget(0, 2)
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
    table.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    table.setShowGrid(False)
    rows = QHeaderView(Qt.Orientation.Vertical)
    columns = QHeaderView(Qt.Orientation.Horizontal)
    table.setVerticalHeader(rows)
    table.setHorizontalHeader(columns)
    rows.hide()
    columns.hide()
    columns.setSectionResizeMode(0, QHeaderView.ResizeMode.ResizeToContents)
    columns.setStretchLastSection(True)
    rows.setMinimumSectionSize(ROW_HEIGHT)
    rows.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
    table.setStyleSheet("QTableWidget::item { padding: 1px 14px 1px 4px; }")
    for heading, entries in sections:
        _add_heading(table, heading)
        for cells in entries:
            row = table.rowCount()
            table.insertRow(row)
            for column, text in enumerate(cells):
                table.setItem(row, column, QTableWidgetItem(text))
    return table


def _add_heading(table: QTableWidget, text: str) -> None:
    item = QTableWidgetItem(text)
    font = item.font()
    font.setBold(True)
    item.setFont(font)
    row = table.rowCount()
    table.insertRow(row)
    table.setItem(row, 0, item)
    table.setSpan(row, 0, 1, 2)

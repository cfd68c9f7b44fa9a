"""Panel: the table of objects, and what can be done with them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from qtpy.QtCore import QSize, QTimer, Signal
from qtpy.QtWidgets import QHBoxLayout, QLineEdit, QPushButton

from napari_sam2.session.book.state import BookState
from napari_sam2.session.planning.frame_set import FrameSet
from napari_sam2.session.scores.tables import ScoreTables
from napari_sam2.ui.objects.model import Column, ObjectFilter, ObjectTableModel
from napari_sam2.ui.objects.rows import Lock, ObjectRow, object_rows
from napari_sam2.ui.objects.view import ObjectView
from napari_sam2.ui.widgets.icons import icon
from napari_sam2.ui.widgets.panel import Note, Panel

PAUSE = 300
"""Milliseconds between two looks at the scores while they stream in."""

BUTTON_WIDTH = 30

ACTIONS = {
    "add": ("add", "New object (N)"),
    "delete": ("delete", "Delete the chosen objects and their masks (Del)"),
    "merge": ("merge", "Merge two chosen objects; the lower id stays (Ctrl+M)"),
    "duplicate": ("duplicate", "Duplicate the chosen object (Ctrl+D)"),
    "parent": ("split", "Set the mother of the chosen object (Ctrl+P)"),
    "lock": ("lock", "Lock the chosen objects, or unlock them if all are (K)"),
    "hide": ("eye", "Hide the chosen objects, or show them if all are hidden (Space)"),
}
"""Icon and tooltip of each button."""


class ObjectPanel(Panel):
    """Shows all objects; asks for everything that changes them.

    Object ids come as tuples, the one to work on first.
    """

    selection_requested = Signal(object)
    add_requested = Signal()
    remove_requested = Signal(object)
    merge_requested = Signal(int, int)
    """Object that stays, object that goes."""
    duplicate_requested = Signal(int)
    rename_requested = Signal(int, str)
    parent_requested = Signal(int, object)
    """Daughter, and mother or None."""
    hidden_requested = Signal(object, bool)
    lock_requested = Signal(object, object)
    """Object ids and `FrameSet`."""
    unlock_requested = Signal(object, object)
    complained = Signal(object)
    """An `InputError` about what was typed."""

    def __init__(self) -> None:
        super().__init__("Objects")
        # --- Widgets
        self.model = ObjectTableModel(self)
        self.filtered = ObjectFilter(self.model, self)
        self.view = ObjectView(self.filtered)
        self.buttons = {name: _button(*ACTIONS[name]) for name in ACTIONS}
        self.search_edit = QLineEdit()
        self.search_edit.setPlaceholderText("Search name or id")
        self.search_edit.setClearButtonEnabled(True)
        self.review_button = _button("filter", "Show only objects that need review")
        self.review_button.setCheckable(True)
        self.note = Note()
        # --- Layout
        row = QHBoxLayout()
        row.setSpacing(3)
        for button in self.buttons.values():
            row.addWidget(button)
        row.addStretch(1)
        search = QHBoxLayout()
        search.addWidget(self.search_edit, 1)
        search.addWidget(self.review_button)
        self.form.addRow(row)
        self.form.addRow(search)
        self.form.addRow(self.view)
        self.form.addRow(self.note)
        # --- State
        self._state = BookState()
        self._tables: ScoreTables | None = None
        self._frame_count = 1
        self._selected: tuple[int, ...] = ()
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(PAUSE)
        self._connect()
        self._show_rows()

    def _connect(self) -> None:
        for name, button in self.buttons.items():
            button.clicked.connect(self._acting(name))
        # A key does what the button would do, which may be nothing.
        self.view.action_requested.connect(lambda name: self.buttons[name].click())
        self.view.toggle_requested.connect(self._on_toggled)
        self.view.selection_changed.connect(self._on_selected)
        self.search_edit.textChanged.connect(self._look)
        self.review_button.toggled.connect(self._look)
        self.model.rename_requested.connect(self.rename_requested)
        self.model.parent_requested.connect(self.parent_requested)
        self.model.complained.connect(self.complained)
        self._timer.timeout.connect(self._show_rows)

    # --- What is shown

    def show_movie(self, frame_count: int) -> None:
        """Show objects of a movie of this length."""
        self._frame_count = frame_count
        self._show_rows()

    def show_state(self, state: BookState) -> None:
        """Show the objects of a book; the table keeps its place."""
        self._state = state
        self._show_rows()

    def show_scores(self, tables: ScoreTables | None) -> None:
        """Show frames and trust, at most every `PAUSE` milliseconds."""
        self._tables = tables
        if not self._timer.isActive():
            self._timer.start()

    def show_selected(self, object_ids: Iterable[int]) -> None:
        """Show which objects are chosen; asks for nothing."""
        self._selected = tuple(object_ids)
        self.view.choose(self._selected)
        self._enable_buttons()

    def _show_rows(self) -> None:
        self._timer.stop()
        rows = object_rows(self._state, self._tables, self._frame_count)
        if any(row.parent is not None for row in rows):
            self.view.show_mothers()
        with self.view.told():
            self.model.show_rows(rows)
            # What was filtered out may be there again.
            self.view.choose(self._selected)
        self._enable_buttons()
        self.note.show_text("" if rows else "No objects yet: N begins one.")

    def _look(self, _changed: object = None) -> None:
        with self.view.told():
            self.filtered.look_for(
                self.search_edit.text(), needs_review=self.review_button.isChecked()
            )
            self.view.choose(self._selected)

    # --- What is asked

    def _on_selected(self, object_ids: tuple[int, ...]) -> None:
        self._selected = object_ids
        self._enable_buttons()
        self.selection_requested.emit(object_ids)

    def _acting(self, name: str) -> Callable[[], None]:
        return lambda: self._act(name)

    def _act(self, name: str) -> None:
        chosen = self._rows(self.view.chosen)
        ids = tuple(row.object_id for row in chosen)
        match name:
            case "add":
                self.add_requested.emit()
            case "delete":
                self.remove_requested.emit(ids)
            case "merge":
                self.merge_requested.emit(min(ids), max(ids))
            case "duplicate":
                self.duplicate_requested.emit(ids[0])
            case "parent":
                self.view.show_mothers()
                self.view.edit(self.filtered.index_of(ids[0], Column.PARENT))
            case "lock":
                self._ask_for_lock(chosen)
            case _:
                self._ask_to_hide(chosen)

    def _ask_to_hide(self, rows: list[ObjectRow]) -> None:
        ids = tuple(row.object_id for row in rows)
        self.hidden_requested.emit(ids, not all(row.is_hidden for row in rows))

    def _on_toggled(self, object_id: int, column: int) -> None:
        rows = self._rows((object_id,))
        if column == Column.SHOWN:
            self._ask_to_hide(rows)
        else:
            self._ask_for_lock(rows)

    def _ask_for_lock(self, rows: list[ObjectRow]) -> None:
        ids = tuple(row.object_id for row in rows)
        whole = FrameSet.between(0, self._frame_count - 1)
        if all(row.lock is Lock.ALL for row in rows):
            self.unlock_requested.emit(ids, whole)
        else:
            self.lock_requested.emit(ids, whole)

    def _rows(self, object_ids: Iterable[int]) -> list[ObjectRow]:
        by_id = {row.object_id: row for row in self.model.rows}
        return [by_id[one] for one in object_ids]

    def _enable_buttons(self) -> None:
        number = len(self.view.chosen)
        for name, button in self.buttons.items():
            if name in ("duplicate", "parent"):
                button.setEnabled(number == 1)
            elif name == "merge":
                button.setEnabled(number == 2)
            elif name != "add":
                button.setEnabled(number > 0)


def _button(icon_name: str, tip: str) -> QPushButton:
    button = QPushButton(icon(icon_name), "")
    button.setToolTip(tip)
    button.setAccessibleName(tip)
    button.setFixedWidth(BUTTON_WIDTH)
    button.setIconSize(QSize(16, 16))
    return button

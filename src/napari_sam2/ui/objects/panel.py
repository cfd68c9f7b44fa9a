"""Panel: the table of objects, and what can be done with them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from qtpy.QtCore import (
    QItemSelection,
    QItemSelectionModel,
    QModelIndex,
    QSize,
    Qt,
    Signal,
)
from qtpy.QtGui import QColor, QKeyEvent, QPainter, QPalette, QResizeEvent, QShowEvent
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QLineEdit,
    QPushButton,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
)

from napari_sam2.session.book.state import BookState, FrameFlag
from napari_sam2.session.planning.frame_set import FrameSet
from napari_sam2.session.scores.tables import ScoreTables
from napari_sam2.ui.layers.colors import trust_colors
from napari_sam2.ui.objects.model import (
    TRUST_ROLE,
    Column,
    Lock,
    ObjectFilter,
    ObjectRow,
    ObjectTableModel,
    object_rows,
)
from napari_sam2.ui.widgets.icons import icon
from napari_sam2.ui.widgets.panel import Note, Panel
from napari_sam2.ui.widgets.timers import single_shot

ROW_HEIGHT = 22
ICON_SIDE = 14
BAR_HEIGHT = 3
WIDTHS = {
    Column.SHOWN: 18,
    Column.LOCKED: 18,
    Column.ID: 28,
    Column.PARENT: 46,
    Column.PROMPTS: 20,
    Column.FRAMES: 58,
    Column.TRUST: 40,
    Column.REVIEW: 48,
}
TITLE_PADDING = 6
"""Pixels beside the title of a column: on screens of 1.5 pixels each it is wider."""
LEAST_NAME_WIDTH = 86
"""Names are never cut shorter: a dock that is too narrow scrolls the table."""
SHOWN_ROWS = 6
"""A dock that is too low scrolls rather than squeeze the table."""


ARROW_STYLE = """
QHeaderView::up-arrow, QHeaderView::down-arrow {
    subcontrol-origin: margin; subcontrol-position: top center; width: 9px; height: 5px;
}
"""
"""Beside the name of a narrow column, the arrow of its order would lie on it."""


NO_OBJECTS = "No objects yet: N begins one."
NO_MATCH = "No object matches: empty the search, or switch off the funnel."

KEYS: dict[int, str] = {
    Qt.Key.Key_N: "add",
    Qt.Key.Key_Delete: "delete",
    Qt.Key.Key_Backspace: "delete",
    Qt.Key.Key_K: "lock",
    Qt.Key.Key_Space: "hide",
}
CONTROL_KEYS: dict[int, str] = {
    Qt.Key.Key_D: "duplicate",
    Qt.Key.Key_M: "merge",
    Qt.Key.Key_P: "parent",
}


class ObjectView(QTableView):
    """Shows the objects of an `ObjectFilter`."""

    selection_changed = Signal(object)
    """A tuple of object ids that a person chose, the current one first."""
    action_requested = Signal(str)
    """One of the values of `KEYS` and `CONTROL_KEYS`, for the chosen objects."""
    toggle_requested = Signal(int, int)
    """Object and `Column` of an eye or a lock that was clicked."""

    def __init__(self, filtered: ObjectFilter) -> None:
        super().__init__()
        self._filtered = filtered
        self._is_told = False
        self.setModel(filtered)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(
            QAbstractItemView.EditTrigger.DoubleClicked
            | QAbstractItemView.EditTrigger.EditKeyPressed
        )
        self.setShowGrid(False)
        self.setTabKeyNavigation(False)
        self.setWordWrap(False)
        self.setIconSize(QSize(ICON_SIDE, ICON_SIDE))
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setItemDelegateForColumn(Column.TRUST, TrustBar(self))
        self.setSortingEnabled(True)
        self.sortByColumn(Column.ID, Qt.SortOrder.AscendingOrder)
        self._size_columns()
        self.setMinimumHeight(self.sizeHint().height())
        self._selection.selectionChanged.connect(self._on_selection_changed)
        self.clicked.connect(self._on_clicked)

    @property
    def chosen(self) -> tuple[int, ...]:
        """Ids of the selected objects that are shown, the current one first."""
        model = self._selection
        ids = [
            self._filtered.object_at(one).object_id
            for one in model.selectedRows(Column.ID)
        ]
        current = model.currentIndex()
        if current.isValid() and model.isRowSelected(current.row(), QModelIndex()):
            first = self._filtered.object_at(current).object_id
            ids.sort(key=lambda one: (one != first, one))
        return tuple(ids)

    def choose(self, object_ids: Iterable[int]) -> None:
        """Select objects without asking for anything; scroll to the first."""
        wanted = tuple(object_ids)
        if wanted == self.chosen:
            return
        flags = QItemSelectionModel.SelectionFlag
        found = [self._filtered.index_of(one) for one in wanted]
        shown = [index for index in found if index.isValid()]
        selection = QItemSelection()
        for index in shown:
            selection.select(index, index)
        with self.told():
            self._selection.select(selection, flags.ClearAndSelect | flags.Rows)
            if shown:
                self._selection.setCurrentIndex(shown[0], flags.NoUpdate)
                self.scrollTo(shown[0])

    def show_mothers(self) -> None:
        """Show the column of mothers; names have its room until there is one."""
        self.setColumnHidden(Column.PARENT, False)
        self._fit_titles()
        self._fit_names()

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Give names the room that is left."""
        super().resizeEvent(event)
        self._fit_names()

    def showEvent(self, event: QShowEvent | None) -> None:
        """Give titles room: now their font is that of the theme."""
        super().showEvent(event)
        self._fit_titles()

    @contextmanager
    def told(self) -> Iterator[None]:
        """Take changes of the selection for nobody's wish meanwhile."""
        before, self._is_told = self._is_told, True
        try:
            yield
        finally:
            self._is_told = before

    def sizeHint(self) -> QSize:
        """Ask for room for a few objects."""
        header = self._headers[0].sizeHint().height()
        width = sum(WIDTHS.values()) + LEAST_NAME_WIDTH
        return QSize(width, header + SHOWN_ROWS * ROW_HEIGHT)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Ask for what the keys mean."""
        assert event is not None
        holds_control = event.modifiers() & Qt.KeyboardModifier.ControlModifier
        keys = CONTROL_KEYS if holds_control else KEYS
        action = keys.get(event.key())
        if action is not None:
            self.action_requested.emit(action)
        elif event.key() == Qt.Key.Key_J:
            event.ignore()  # would be looked for in the table; it is for the dock
        else:
            super().keyPressEvent(event)

    def _size_columns(self) -> None:
        header, rows = self._headers
        header.setMinimumSectionSize(min(WIDTHS.values()))
        header.setHighlightSections(False)
        header.setStyleSheet(ARROW_STYLE)
        for column, width in WIDTHS.items():
            self.setColumnWidth(column, width)
        self.setColumnWidth(Column.NAME, LEAST_NAME_WIDTH)
        self.setColumnHidden(Column.PARENT, True)
        header.setSectionResizeMode(Column.NAME, QHeaderView.ResizeMode.Fixed)
        header.sectionResized.connect(self._on_column_resized)
        rows.hide()
        rows.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        rows.setMinimumSectionSize(ROW_HEIGHT)
        rows.setDefaultSectionSize(ROW_HEIGHT)

    def _on_column_resized(self, column: int, _before: int, _after: int) -> None:
        if column != Column.NAME:
            self._fit_names()

    def _fit_titles(self) -> None:
        metrics = self._headers[0].fontMetrics()
        for column in WIDTHS:
            title = self._filtered.headerData(column, Qt.Orientation.Horizontal)
            needed = metrics.horizontalAdvance(title) + TITLE_PADDING
            if not self.isColumnHidden(column) and self.columnWidth(column) < needed:
                self.setColumnWidth(column, needed)

    def _fit_names(self) -> None:
        viewport = self.viewport()
        assert viewport is not None
        others = sum(map(self.columnWidth, WIDTHS))  # hidden ones have none
        width = max(LEAST_NAME_WIDTH, viewport.width() - others)
        self.setColumnWidth(Column.NAME, width)

    @property
    def _selection(self) -> QItemSelectionModel:
        model = self.selectionModel()
        assert model is not None
        return model

    @property
    def _headers(self) -> tuple[QHeaderView, QHeaderView]:
        above, beside = self.horizontalHeader(), self.verticalHeader()
        assert above is not None
        assert beside is not None
        return above, beside

    def _on_selection_changed(self, *_changes: object) -> None:
        if not self._is_told:
            self.selection_changed.emit(self.chosen)

    def _on_clicked(self, index: QModelIndex) -> None:
        if index.column() in (Column.SHOWN, Column.LOCKED):
            object_id = self._filtered.object_at(index).object_id
            self.toggle_requested.emit(object_id, index.column())


class TrustBar(QStyledItemDelegate):
    """Underlines the number with a bar in the colours of the timeline."""

    def paint(
        self, painter: QPainter | None, option: QStyleOptionViewItem, index: QModelIndex
    ) -> None:
        """Draw the number and the bar."""
        assert painter is not None
        super().paint(painter, option, index)
        trust = index.data(TRUST_ROLE)
        if trust is None:
            return
        area = option.rect.adjusted(4, 0, -4, -2)
        area.setTop(area.bottom() + 1 - BAR_HEIGHT)
        bed = QColor(option.palette.color(QPalette.ColorRole.Text))
        bed.setAlphaF(0.15)
        painter.fillRect(area, bed)
        area.setWidth(max(2, round(area.width() * trust)))
        red, green, blue = trust_colors(trust).tolist()
        painter.fillRect(area, QColor(int(red), int(green), int(blue)))


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
    flag_requested = Signal(object, object, object, bool)
    """`FrameFlag`, object ids, `FrameSet`; False to take it back."""
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
        self.outline_button = _button("outline", "Show masks as outlines")
        self.outline_button.setCheckable(True)
        self.note = Note()
        # --- Layout
        row = QHBoxLayout()
        row.setSpacing(3)
        for button in self.buttons.values():
            row.addWidget(button)
        row.addStretch(1)
        row.addWidget(self.outline_button)
        search = QHBoxLayout()
        search.addWidget(self.search_edit, 1)
        search.addWidget(self.review_button)
        self.form.addRow(row)
        self.form.addRow(search)
        self.form.addRow(self.view)
        self.form.addRow(self.note)
        # --- State
        self._state = BookState()
        self._by_id: dict[int, ObjectRow] = {}
        self._tables: ScoreTables | None = None
        self._frame_count = 1
        self._selected: tuple[int, ...] = ()
        self._timer = single_shot(self, self._show_rows, PAUSE)
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

    # --- What is shown

    def show_movie(self, frame_count: int) -> None:
        """Show objects of a movie of this length."""
        self._frame_count = frame_count
        self._show_rows()

    def show_state(self, state: BookState) -> None:
        """Show the objects of a book; the table keeps its place."""
        rows = object_rows(
            state, self._tables, self._frame_count, self._by_id, self._state
        )
        self._state = state
        self._show(rows)

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
        self._show(object_rows(self._state, self._tables, self._frame_count))

    def _show(self, by_id: dict[int, ObjectRow]) -> None:
        self._by_id, rows = by_id, tuple(by_id.values())
        if any(row.parent is not None for row in rows):
            self.view.show_mothers()
        with self.view.told():
            self.model.show_rows(rows)
            # What was filtered out may be there again.
            self.view.choose(self._selected)
        self._enable_buttons()
        self._show_note()

    def _show_note(self) -> None:
        """Say why the table is empty, if it is."""
        text = "" if self._by_id else NO_OBJECTS
        if self._by_id and not self.filtered.rowCount():
            text = NO_MATCH
        self.note.show_text(text)

    def _look(self, _changed: object = None) -> None:
        with self.view.told():
            self.filtered.look_for(
                self.search_edit.text(), needs_review=self.review_button.isChecked()
            )
            self.view.choose(self._selected)
        self._show_note()

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
        is_locked = all(row.lock is Lock.ALL for row in rows)
        self.flag_requested.emit(FrameFlag.LOCKED, ids, whole, not is_locked)

    def _rows(self, object_ids: Iterable[int]) -> list[ObjectRow]:
        return [self._by_id[object_id] for object_id in object_ids]

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

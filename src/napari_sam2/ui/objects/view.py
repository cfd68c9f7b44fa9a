"""The widget that shows the table of objects: keys, toggles, and a bar for trust."""

from __future__ import annotations

from collections.abc import Iterable

from qtpy.QtCore import (
    QItemSelection,
    QItemSelectionModel,
    QModelIndex,
    QSize,
    Qt,
    Signal,
)
from qtpy.QtGui import QColor, QKeyEvent, QPainter, QPalette, QResizeEvent
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from napari_sam2.ui.layers.colors import trust_colors
from napari_sam2.ui.objects.model import TRUST_ROLE, Column, ObjectFilter

ROW_HEIGHT = 22
ICON_SIDE = 14
BAR_HEIGHT = 3
WIDTHS = {
    Column.SHOWN: 20,
    Column.LOCKED: 20,
    Column.ID: 32,
    Column.PARENT: 46,
    Column.PROMPTS: 24,
    Column.FRAMES: 56,
    Column.TRUST: 40,
    Column.REVIEW: 48,
}
LEAST_NAME_WIDTH = 86
"""Names are never cut shorter: a dock that is too narrow scrolls the table."""
SHOWN_ROWS = 6
"""A dock that is too low scrolls rather than squeeze the table."""


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
    """Shows the objects of an `ObjectFilter`.

    Parameters
    ----------
    filtered
        What is shown.
    parent
        Owner.
    """

    selection_changed = Signal(object)
    """A tuple of object ids that a person chose, the current one first."""
    action_requested = Signal(str)
    """One of the values of `KEYS` and `CONTROL_KEYS`, for the chosen objects."""
    toggle_requested = Signal(int, int)
    """Object and `Column` of an eye or a lock that was clicked."""

    def __init__(self, filtered: ObjectFilter, parent: QWidget | None = None) -> None:
        super().__init__(parent)
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
        self._fit_names()

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Give names the room that is left."""
        super().resizeEvent(event)
        self._fit_names()

    def told(self) -> Told:
        """Return a context in which changes of the selection are nobody's wish."""
        return Told(self)

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


class Told:
    """While it lasts, the view does not say that its selection changed."""

    def __init__(self, view: ObjectView) -> None:
        self._view = view

    def __enter__(self) -> None:
        self._before = self._view._is_told
        self._view._is_told = True

    def __exit__(self, *_error: object) -> None:
        self._view._is_told = self._before


class TrustBar(QStyledItemDelegate):
    """Underlines the number with a bar in the colours of the timeline."""

    def paint(
        self,
        painter: QPainter | None,
        option: QStyleOptionViewItem,
        index: QModelIndex,
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

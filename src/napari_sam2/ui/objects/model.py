"""The table of objects as Qt asks for it, and as it is sorted and searched."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, IntEnum
from functools import cache
from operator import attrgetter
from typing import Any

import numpy as np
from qtpy.QtCore import (
    QAbstractTableModel,
    QModelIndex,
    QObject,
    QSortFilterProxyModel,
    Qt,
    Signal,
)
from qtpy.QtGui import QColor, QFont, QIcon, QPainter, QPixmap

from napari_sam2.errors import InputError
from napari_sam2.session.book.state import BookState, Color, ObjectState
from napari_sam2.session.planning.frame_set import FrameSet
from napari_sam2.session.scores.tables import ScoreTables
from napari_sam2.texts import counted
from napari_sam2.ui.layers.colors import object_color
from napari_sam2.ui.widgets.icons import icon


class Lock(Enum):
    """How much of an object is locked."""

    NONE = "not locked"
    SOME = "locked on some frames"
    ALL = "locked on all frames"


@dataclass(frozen=True, slots=True)
class ObjectRow:
    """One object as the table shows it; equal rows look the same.

    Attributes
    ----------
    object_id, name, parent, is_hidden, color
        As in `ObjectState`; the name may be empty.
    prompts
        Number of prompted frames.
    first, last, present
        First and last frame with the object, and on how many it is; None and 0 if it
        was never tracked or never there.
    trust
        Mean over the frames with the object, in hundredths; None if there are none.
    doubtful
        Number of frames that need review.
    is_missed
        It was looked for, and found nowhere.
    """

    object_id: int
    name: str = ""
    parent: int | None = None
    is_hidden: bool = False
    prompts: int = 0
    first: int | None = None
    last: int | None = None
    present: int = 0
    trust: int | None = None
    doubtful: int = 0
    lock: Lock = Lock.NONE
    color: Color | None = None
    is_missed: bool = False

    @property
    def title(self) -> str:
        """The name, or what stands for it."""
        return self.name or f"object {self.object_id}"

    @property
    def frames_text(self) -> str:
        """First and last frame; an asterisk says that it is absent in between."""
        if self.first is None or self.last is None:
            return NO_MASK if self.is_missed else "–"
        gaps = "*" if self.present < self.last - self.first + 1 else ""
        return f"{self.first}–{self.last}{gaps}"

    def matches(self, text: str) -> bool:
        """Return whether a text that is searched for is in the name, or is the id."""
        wanted = text.strip().casefold()
        return wanted in self.title.casefold() or wanted == str(self.object_id)


NO_MASK = "no mask"
"""Of an object of which nothing was found."""


def object_rows(
    book: BookState,
    tables: ScoreTables | None,
    frame_count: int,
    before: Mapping[int, ObjectRow] | None = None,
    shown: BookState | None = None,
) -> dict[int, ObjectRow]:
    """Return the rows of all objects, by id.

    Parameters
    ----------
    tables
        Scores; None if nothing was tracked.
    before, shown
        Rows that hold for a book, with these scores: only what is new is made anew.
    """
    new = book.objects if shown is None else book.new_since(shown)
    whole = FrameSet.between(0, frame_count - 1)
    ids = [state.object_id for state in new]
    tracked = {} if tables is None else _tracked(book, tables, ids)
    made = {
        state.object_id: ObjectRow(
            object_id=state.object_id,
            name=state.name,
            parent=state.parent,
            is_hidden=state.is_hidden,
            prompts=len(state.prompts),
            lock=_lock_of(state, whole),
            color=state.color,
            **tracked.get(state.object_id, {}),
        )
        for state in new
    }
    if shown is None or before is None:
        return made
    known = {**before, **made}
    return {state.object_id: known[state.object_id] for state in book.objects}


def _lock_of(state: ObjectState, whole: FrameSet) -> Lock:
    if not state.locked:
        return Lock.NONE
    return Lock.SOME if whole - state.locked else Lock.ALL


def _tracked(
    book: BookState, tables: ScoreTables, object_ids: Sequence[int]
) -> dict[int, dict[str, Any]]:
    ids = [object_id for object_id in object_ids if object_id in tables.columns]
    if not ids:
        return {}
    first, last, present = tables.spans(ids)
    doubtful = np.count_nonzero(tables.doubtful(book, ids), axis=0)
    computed = tables.computed()
    percent = np.nan_to_num(np.round(100 * tables.mean_trust(ids))).astype(int)
    return {
        object_id: {
            "first": int(first[column]),
            "last": int(last[column]),
            "present": int(present[column]),
            "trust": int(percent[column]),
            "doubtful": int(doubtful[column]),
        }
        if present[column]
        else {"is_missed": bool(computed[:, tables.columns[object_id]].any())}
        for column, object_id in enumerate(ids)
    }


def parent_from_text(
    text: str, object_id: int, rows: Sequence[ObjectRow]
) -> int | None:
    """Return the mother that a person typed; None for no mother.

    Raises
    ------
    InputError
        If that is no object, or the object would descend from itself.
    """
    typed = text.strip()
    if not typed:
        return None
    parents = {row.object_id: row.parent for row in rows}
    by_name = {row.name: row.object_id for row in rows if row.name}
    found = by_name.get(typed)
    if found is None:
        number = typed.removeprefix("#")
        found = int(number) if number.isdecimal() else None
    if found not in parents:
        raise InputError(f"{typed} is no object: type the id or the name of the mother")
    ancestor: int | None = found
    seen: set[int] = set()
    while ancestor is not None and ancestor not in seen:
        if ancestor == object_id:
            raise InputError(
                f"object {found} descends from object {object_id}: it cannot be its "
                "mother as well; choose another one"
            )
        seen.add(ancestor)
        ancestor = parents.get(ancestor)
    return found


SORT_ROLE = int(Qt.ItemDataRole.UserRole)
TRUST_ROLE = int(Qt.ItemDataRole.UserRole) + 1
SWATCH = 12
NO_INDEX = QModelIndex()


class Column(IntEnum):
    """Columns, from left to right."""

    SHOWN = 0
    LOCKED = 1
    NAME = 2
    ID = 3
    PARENT = 4
    PROMPTS = 5
    FRAMES = 6
    TRUST = 7
    REVIEW = 8


HEADS = {
    Column.SHOWN: ("", "Shown in the viewer (Space)"),
    Column.LOCKED: ("", "Locked: tracking never changes it (K)"),
    Column.NAME: ("Name", "Double-click or F2 to rename"),
    Column.ID: ("Id", "Id: the value in the label image"),
    Column.PARENT: ("Mother", "Object it was born from: type an id or a name"),
    Column.PROMPTS: ("◆", "Anchors: frames with clicks, a box or a mask"),
    Column.FRAMES: ("Frames", "First and last frame; * absent in between"),
    Column.TRUST: ("Trust", "Mean over the frames with the object"),
    Column.REVIEW: ("Review", "Doubtful frames that nobody looked at"),
}
SHOWN = {
    Column.SHOWN: attrgetter("is_hidden"),
    Column.LOCKED: attrgetter("lock"),
    Column.NAME: attrgetter("name", "color", "is_hidden"),
    Column.PARENT: attrgetter("parent"),
    Column.PROMPTS: attrgetter("prompts"),
    Column.FRAMES: attrgetter("first", "last", "present", "is_missed"),
    Column.TRUST: attrgetter("trust"),
    Column.REVIEW: attrgetter("doubtful"),
}
"""What of a row is seen in each column."""
NUMBERS = (Column.ID, Column.PARENT, Column.PROMPTS, Column.TRUST, Column.REVIEW)


class ObjectTableModel(QAbstractTableModel):
    """Rows of objects. An edit is only asked for; the row changes when the book does.

    Rows that come, go and change are told one by one, so that a table keeps its place
    and its selection.
    """

    rename_requested = Signal(int, str)
    parent_requested = Signal(int, object)
    """Daughter, and mother or None."""
    complained = Signal(object)
    """An `InputError` about what was typed."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.rows: tuple[ObjectRow, ...] = ()
        self._numbers: dict[int, int] = {}

    def show_rows(self, rows: Sequence[ObjectRow]) -> None:
        """Show other rows, which ascend by id."""
        wanted = {row.object_id for row in rows}
        kept = list(self.rows)
        gone = [n for n, row in enumerate(kept) if row.object_id not in wanted]
        for first, stop in reversed(_runs(gone)):
            self.beginRemoveRows(NO_INDEX, first, stop - 1)
            del kept[first:stop]
            self._set(kept)
            self.endRemoveRows()
        known = {row.object_id for row in kept}
        new = [n for n, row in enumerate(rows) if row.object_id not in known]
        for first, stop in _runs(new):
            self.beginInsertRows(NO_INDEX, first, stop - 1)
            kept[first:first] = rows[first:stop]
            self._set(kept)
            self.endInsertRows()
        changed = [
            number
            for number, (old, new) in enumerate(zip(kept, rows, strict=True))
            if old is not new and old != new
        ]
        self._set(rows)
        # By columns: a table that is not sorted by one of them stays as it is.
        for column, shown in SHOWN.items():
            others = [n for n in changed if shown(kept[n]) != shown(rows[n])]
            for first, stop in _runs(others):
                self.dataChanged.emit(
                    self.index(first, column), self.index(stop - 1, column)
                )

    def row_of(self, object_id: int) -> int | None:
        """Return the number of an object's row."""
        return self._numbers.get(object_id)

    def _set(self, rows: Sequence[ObjectRow]) -> None:
        self.rows = tuple(rows)
        self._numbers = {row.object_id: number for number, row in enumerate(rows)}

    # --- What Qt asks

    def rowCount(self, parent: QModelIndex = NO_INDEX) -> int:
        """Return the number of objects."""
        return 0 if parent.isValid() else len(self.rows)

    def columnCount(self, parent: QModelIndex = NO_INDEX) -> int:
        """Return the number of columns."""
        return 0 if parent.isValid() else len(Column)

    def headerData(
        self,
        section: int,
        orientation: Qt.Orientation,
        role: int = int(Qt.ItemDataRole.DisplayRole),
    ) -> Any:
        """Return the title of a column."""
        if orientation != Qt.Orientation.Horizontal:
            return None
        text, tip = HEADS[Column(section)]
        if role == Qt.ItemDataRole.DisplayRole:
            return text
        return tip if role == Qt.ItemDataRole.ToolTipRole else None

    def flags(self, index: QModelIndex) -> Qt.ItemFlag:
        """Let names and mothers be edited."""
        if not index.isValid():
            return Qt.ItemFlag.NoItemFlags
        flags = Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemIsEnabled
        if index.column() in (Column.NAME, Column.PARENT):
            flags |= Qt.ItemFlag.ItemIsEditable
        return flags

    def data(
        self, index: QModelIndex, role: int = int(Qt.ItemDataRole.DisplayRole)
    ) -> Any:
        """Return what a cell shows."""
        answer = ANSWERS.get(role)
        if answer is None or not index.isValid():
            return None
        return answer(self.rows[index.row()], Column(index.column()))

    def setData(
        self, index: QModelIndex, value: Any, role: int = int(Qt.ItemDataRole.EditRole)
    ) -> bool:
        """Ask for what was typed."""
        if role != Qt.ItemDataRole.EditRole:
            return False
        row, text = self.rows[index.row()], str(value)
        if index.column() == Column.NAME:
            if text.strip() != row.name:
                self.rename_requested.emit(row.object_id, text.strip())
            return True
        try:
            parent = parent_from_text(text, row.object_id, self.rows)
        except InputError as error:
            self.complained.emit(error)
            return False
        if parent != row.parent:
            self.parent_requested.emit(row.object_id, parent)
        return True


class ObjectFilter(QSortFilterProxyModel):
    """Rows of an `ObjectTableModel`, sorted, and only those that are looked for."""

    def __init__(self, model: ObjectTableModel, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._objects = model
        self._text = ""
        self._needs_review = False
        self.setSourceModel(model)
        self.setSortRole(SORT_ROLE)
        self.setDynamicSortFilter(True)

    def look_for(self, text: str, *, needs_review: bool) -> None:
        """Show only rows that match a text, and if asked only those to be reviewed."""
        self._text, self._needs_review = text, needs_review
        self.invalidate()

    def object_at(self, index: QModelIndex) -> ObjectRow:
        """Return the row that is shown at an index of this filter."""
        return self._objects.rows[self.mapToSource(index).row()]

    def index_of(self, object_id: int, column: Column = Column.NAME) -> QModelIndex:
        """Return where an object is shown; an invalid index if it is filtered out."""
        number = self._objects.row_of(object_id)
        if number is None:
            return NO_INDEX
        return self.mapFromSource(self._objects.index(number, column))

    def filterAcceptsRow(self, source_row: int, _parent: QModelIndex) -> bool:
        """Return whether a row is looked for."""
        row = self._objects.rows[source_row]
        if self._needs_review and not row.doubtful:
            return False
        return row.matches(self._text)


def _runs(numbers: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """Return first and stop of each run of neighbours: rows are told like frames."""
    return FrameSet.of(numbers).runs


def _alignment(_row: ObjectRow, column: Column) -> Qt.AlignmentFlag:
    if column == Column.FRAMES:
        return Qt.AlignmentFlag.AlignCenter
    if column in NUMBERS:
        return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
    return Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter


def _text(row: ObjectRow, column: Column) -> str:
    match column:
        case Column.NAME:
            return row.title
        case Column.ID:
            return str(row.object_id)
        case Column.PARENT:
            return "" if row.parent is None else str(row.parent)
        case Column.PROMPTS:
            return str(row.prompts)
        case Column.FRAMES:
            return row.frames_text
        case Column.TRUST:
            return "" if row.trust is None else f"{row.trust / 100:.2f}"
        case Column.REVIEW:
            return str(row.doubtful) if row.doubtful else ""
    return ""


def _tip(row: ObjectRow, column: Column) -> str:
    match column:
        case Column.SHOWN:
            return "hidden" if row.is_hidden else "shown"
        case Column.LOCKED:
            return row.lock.value
        case Column.FRAMES if row.first is not None:
            return f"on {counted(row.present, 'frame')}, from {row.first} to {row.last}"
        case Column.FRAMES if row.is_missed:
            return "Nothing was found where it was clicked on: drag a box around it"
        case Column.TRUST if row.trust is not None:
            return f"mean trust {row.trust / 100:.2f}"
        case Column.REVIEW if row.doubtful:
            return f"{counted(row.doubtful, 'doubtful frame')} that nobody looked at"
    return HEADS[column][1]


def _sort_key(row: ObjectRow, column: Column) -> Any:
    match column:
        case Column.LOCKED:
            return list(Lock).index(row.lock)
        case Column.NAME:
            return row.title.casefold()
        case Column.ID:
            return row.object_id
        case Column.PARENT:
            return row.parent or 0
        case Column.FRAMES:
            return -1 if row.first is None else row.first
        case Column.TRUST:
            return 101 if row.trust is None else row.trust
    return int(SHOWN[column](row))


def _picture(row: ObjectRow, column: Column) -> QIcon | None:
    match column:
        case Column.SHOWN:
            return icon("eye_closed" if row.is_hidden else "eye")
        case Column.LOCKED if row.lock is not Lock.NONE:
            return icon("lock_all" if row.lock is Lock.ALL else "lock")
        case Column.NAME:
            return _swatch(row.object_id, row.color, row.is_hidden)
    return None


@cache
def _swatch(object_id: int, own: Color | None, is_hidden: bool) -> QIcon:
    """Return a square in the object's colour; hollow if it is hidden."""
    color = QColor.fromRgbF(*map(float, own or object_color(object_id)))
    pixmap = QPixmap(SWATCH, SWATCH)
    pixmap.fill(Qt.GlobalColor.transparent if is_hidden else color)
    if is_hidden:
        painter = QPainter(pixmap)
        painter.setPen(color)
        painter.drawRect(0, 0, SWATCH - 1, SWATCH - 1)
        painter.end()
    swatch = QIcon(pixmap)
    # Or the style would tint the swatch of a selected row.
    swatch.addPixmap(pixmap, QIcon.Mode.Selected)
    return swatch


def _edited(row: ObjectRow, column: Column) -> str:
    return row.name if column == Column.NAME else _text(row, column)


def _font(row: ObjectRow, column: Column) -> QFont | None:
    if not row.is_hidden or column != Column.NAME:
        return None
    font = QFont()
    font.setItalic(True)
    return font


def _trust(row: ObjectRow, _column: Column) -> float | None:
    return None if row.trust is None else row.trust / 100


ANSWERS: dict[int, Callable[[ObjectRow, Column], Any]] = {
    int(Qt.ItemDataRole.DisplayRole): _text,
    int(Qt.ItemDataRole.EditRole): _edited,
    int(Qt.ItemDataRole.DecorationRole): _picture,
    int(Qt.ItemDataRole.ToolTipRole): _tip,
    int(Qt.ItemDataRole.TextAlignmentRole): _alignment,
    int(Qt.ItemDataRole.FontRole): _font,
    SORT_ROLE: _sort_key,
    TRUST_ROLE: _trust,
}
"""What is said of a cell, by role."""

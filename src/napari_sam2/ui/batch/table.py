"""The movies of a batch, what is known of them, and how far they are."""

from __future__ import annotations

from dataclasses import dataclass

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTreeWidget, QTreeWidgetItem

from napari_sam2.batch.plan.checks import MovieCheck
from napari_sam2.batch.report.lines import Begun, Checked, Ended, Line, Progressed
from napari_sam2.batch.report.outcome import MovieOutcome
from napari_sam2.texts import clock_text

COLUMNS = ("Movie", "State", "Frames", "Objects", "Time", "Why")
MOVIE, STATE, FRAMES, OBJECTS, TIME, WHY = range(len(COLUMNS))
TABLE_HEIGHT = 220


@dataclass(slots=True)
class _Row:
    item: QTreeWidgetItem
    outcome: MovieOutcome | None = None


class MovieTable(QTreeWidget):
    """Lists movies in the order in which they are first told of."""

    chosen = Signal(object)
    """A movie that has ended was clicked on twice: its `MovieOutcome`."""

    def __init__(self) -> None:
        super().__init__()
        self.setHeaderLabels(list(COLUMNS))
        self.setRootIsDecorated(False)
        self.setMinimumHeight(TABLE_HEIGHT)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setAccessibleName("Movies of the batch")
        self.setToolTip("Click twice on a movie that is done to open its masklets")
        header = self.header()
        if header is not None:
            header.setStretchLastSection(True)
            header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self._rows: dict[str, _Row] = {}
        self.itemDoubleClicked.connect(self._on_double_click)

    @property
    def ended(self) -> int:
        """How many movies have ended."""
        return sum(row.outcome is not None for row in self._rows.values())

    @property
    def count_not_whole(self) -> int:
        """How many have ended without whole masklets."""
        ended = (row.outcome for row in self._rows.values() if row.outcome is not None)
        return sum(not outcome.is_good for outcome in ended)

    def begin(self) -> None:
        """Forget all movies."""
        self.clear()
        self._rows = {}

    def show_line(self, line: Line) -> None:
        """Show what was told."""
        match line:
            case Begun(titles=titles):
                for title in titles:
                    self._item(title)
            case Checked(check=check, seconds=seconds):
                self._show_check(check, seconds)
            case Progressed(progress=progress):
                item = self._item(progress.title)
                item.setText(STATE, "tracking")
                item.setText(FRAMES, f"{progress.position}/{progress.total}")
            case Ended(outcome=outcome):
                self._show_outcome(outcome)

    def _show_check(self, check: MovieCheck, seconds: float | None) -> None:
        time = "" if seconds is None else clock_text(seconds)
        texts = (check.state, str(check.frames or ""), str(check.objects or ""), time)
        self._fill(self._item(check.title), texts, check.reason)

    def _show_outcome(self, outcome: MovieOutcome) -> None:
        item = self._item(outcome.title)
        self._rows[outcome.title].outcome = outcome
        time = clock_text(outcome.seconds) if outcome.seconds else ""
        texts = (
            outcome.state,
            str(outcome.frames or ""),
            str(outcome.objects or ""),
            time,
        )
        why = outcome.error.removeprefix(f"{outcome.movie}: ") or outcome.remark
        self._fill(item, texts, why)

    def _fill(self, item: QTreeWidgetItem, texts: tuple[str, ...], why: str) -> None:
        for column, text in enumerate(texts, STATE):
            item.setText(column, text)
        item.setText(WHY, why)
        item.setToolTip(WHY, why)

    def _item(self, title: str) -> QTreeWidgetItem:
        if title not in self._rows:
            item = QTreeWidgetItem([title])
            for column in (FRAMES, OBJECTS, TIME):
                item.setTextAlignment(column, Qt.AlignmentFlag.AlignRight)
            self.addTopLevelItem(item)
            self._rows[title] = _Row(item)
        return self._rows[title].item

    def _on_double_click(self, item: QTreeWidgetItem, _column: int) -> None:
        outcome = self._rows[item.text(MOVIE)].outcome
        if outcome is not None:
            self.chosen.emit(outcome)

"""Panel: the timeline, and the review of doubtful frames."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QKeyEvent
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QLabel, QPushButton

from napari_sam2.session.book.proposals import ProposedDivision
from napari_sam2.session.book.state import BookState, FrameFlag
from napari_sam2.session.planning.frame_set import FrameSet
from napari_sam2.session.scores.tables import ScoreTables
from napari_sam2.texts import counted
from napari_sam2.ui.timeline.paint import TrustScale
from napari_sam2.ui.timeline.timeline import ZOOM_PER_NOTCH, Timeline
from napari_sam2.ui.widgets.icons import icon
from napari_sam2.ui.widgets.panel import Panel
from napari_sam2.ui.widgets.timers import single_shot

PAUSE = 300
"""Milliseconds between two counts of doubtful frames while scores stream in."""

SCOPES = {"frame": "this frame", "range": "the range", "movie": "all frames"}


class TimelinePanel(Panel):
    """Shows all objects over time; asks to go somewhere, to review, to lock.

    Object ids come as tuples, the one to work on first.
    """

    frame_requested = Signal(int)
    selection_requested = Signal(object)
    range_requested = Signal(int, int)
    """First and last frame."""
    next_doubtful_requested = Signal()
    flag_requested = Signal(object, object, object, bool)
    """`FrameFlag`, object ids, `FrameSet`; False to take it back."""

    def __init__(self) -> None:
        super().__init__("Timeline")
        # --- Widgets
        self.timeline = Timeline()
        self.doubtful_button = QPushButton(icon("jump"), "Next doubtful")
        self.doubtful_button.setToolTip(
            "Go to the least trusted frame that nobody reviewed (J)"
        )
        self.count_label = QLabel()
        self.scope_combo = QComboBox()
        for scope, text in SCOPES.items():
            self.scope_combo.addItem(text, scope)
        self.scope_combo.setToolTip("Which frames of the chosen objects are meant")
        self.review_button = QPushButton(icon("review"), "Reviewed")
        self.lock_button = QPushButton(icon("lock"), "Lock")
        zooms = {
            "−": ("Zoom out (−)", 1 / ZOOM_PER_NOTCH),
            "+": ("Zoom in (+)", ZOOM_PER_NOTCH),
        }
        self.zoom_buttons = [self._zoom_button(text, *zooms[text]) for text in zooms]
        self.whole_button = QPushButton("All")
        self.whole_button.setToolTip("Show the whole movie (0)")
        # --- Layout
        row = QHBoxLayout()
        row.addWidget(self.doubtful_button)
        for widget in (self.scope_combo, self.review_button, self.lock_button):
            row.addWidget(widget)
        row.addWidget(self.count_label, 1)
        row.addWidget(TrustScale())
        for button in (*self.zoom_buttons, self.whole_button):
            row.addWidget(button)
        self.form.addRow(row)
        self.form.addRow(self.timeline)
        # --- State
        self._state = BookState()
        self._tables: ScoreTables | None = None
        self._frame, self._frame_count = 0, 1
        self._selected: tuple[int, ...] = ()
        self._timer = single_shot(self, self._count, PAUSE)
        self._connect()
        self._show_choices()

    def _connect(self) -> None:
        timeline = self.timeline
        timeline.frame_requested.connect(self.frame_requested)
        timeline.range_requested.connect(self._on_range_requested)
        timeline.selection_requested.connect(self._on_selected)
        self.doubtful_button.clicked.connect(self.next_doubtful_requested)
        self.scope_combo.activated.connect(self._show_choices)
        self.review_button.clicked.connect(lambda: self._ask_for(FrameFlag.REVIEWED))
        self.lock_button.clicked.connect(lambda: self._ask_for(FrameFlag.LOCKED))
        self.whole_button.clicked.connect(timeline.show_whole)

    # --- What is shown

    def show_movie(self, frame_count: int) -> None:
        """Show a movie of another length; all of it is in the range."""
        self._frame_count = frame_count
        self.timeline.show_movie(frame_count)
        self._show_choices()

    def show_state(self, state: BookState) -> None:
        """Show the objects of a book."""
        self._state = state
        self.timeline.show_state(state)
        self._show_choices()
        self._count_soon()

    def show_scores(self, tables: ScoreTables | None) -> None:
        """Show presence and trust; cheap enough for every frame that is tracked."""
        self._tables = tables
        self.timeline.show_scores(tables)
        self._count_soon()

    def show_divisions(self, proposals: Iterable[ProposedDivision]) -> None:
        """Show which divisions are proposed."""
        frames: dict[int, list[int]] = {}
        for proposed in proposals:
            frames.setdefault(proposed.mother, []).append(proposed.frame_index)
        self.timeline.show_divisions(frames)

    def show_frame(self, frame_index: int) -> None:
        """Show where the viewer is."""
        self._frame = frame_index
        self.timeline.show_frame(frame_index)
        self._show_choices()

    def show_range(self, first: int, last: int) -> None:
        """Show the marked range."""
        self.timeline.show_range(first, last)
        self._show_choices()

    def show_selected(self, object_ids: Iterable[int]) -> None:
        """Show which objects are chosen; asks for nothing."""
        self._selected = tuple(object_ids)
        self.timeline.show_selected(self._selected)
        self._show_choices()

    @property
    def frames_meant(self) -> FrameSet:
        """The frames that marks and locks are about."""
        match self.scope_combo.currentData():
            case "frame":
                return FrameSet.between(self._frame, self._frame)
            case "range":
                return FrameSet.between(*self.timeline.marked)
            case _:
                return FrameSet.between(0, self._frame_count - 1)

    # --- What is asked

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Take J, wherever in the panel the focus is."""
        assert event is not None
        if event.key() == Qt.Key.Key_J and not event.modifiers():
            self.next_doubtful_requested.emit()
        else:
            super().keyPressEvent(event)

    def _ask_for(self, flag: FrameFlag) -> None:
        is_on = not self._all(flag)
        self.flag_requested.emit(flag, self._known(), self.frames_meant, is_on)

    def _on_range_requested(self, first: int, last: int) -> None:
        self.show_range(first, last)
        self.range_requested.emit(first, last)

    def _on_selected(self, object_ids: tuple[int, ...]) -> None:
        self._selected = object_ids
        self._show_choices()
        self.selection_requested.emit(object_ids)

    def _known(self) -> tuple[int, ...]:
        return tuple(one for one in self._selected if one in self._state)

    def _all(self, flag: FrameFlag) -> bool:
        """Return whether all frames that are meant are locked, or reviewed, already."""
        frames, ids = self.frames_meant, self._known()
        return bool(ids) and not any(
            frames - self._state[object_id].flagged(flag) for object_id in ids
        )

    def _show_choices(self, _changed: object = None) -> None:
        """Say on the buttons what they would do."""
        ids = self._known()
        if not ids:
            whom = "the chosen objects: choose some first"
        else:
            whom = f"{len(ids)} objects" if len(ids) > 1 else f"object {ids[0]}"
        frames = self.scope_combo.currentText()
        for button, flag, texts in (
            (self.review_button, FrameFlag.REVIEWED, ("Reviewed", "Not reviewed")),
            (self.lock_button, FrameFlag.LOCKED, ("Lock", "Unlock")),
        ):
            text = texts[self._all(flag)]
            button.setText(text)
            button.setEnabled(bool(ids))
            button.setToolTip(f"{text}: {frames} of {whom}")
        self.lock_button.setIcon(
            icon("unlock" if self._all(FrameFlag.LOCKED) else "lock")
        )

    def _count_soon(self) -> None:
        if not self._timer.isActive():
            self._timer.start()

    def _count(self) -> None:
        """Say how many frames need review."""
        number = objects = 0
        if self._tables is not None:
            per_object = np.count_nonzero(self._tables.doubtful(self._state), axis=0)
            number, objects = int(per_object.sum()), int((per_object > 0).sum())
        self.count_label.setText(f"{number:,} to review" if number else "")
        self.count_label.setToolTip(
            f"Doubtful, and neither reviewed nor locked: {counted(number, 'frame')} of "
            f"{counted(objects, 'object')}"
        )

    def _zoom_button(self, text: str, tip: str, factor: float) -> QPushButton:
        button = QPushButton(text)
        button.setToolTip(tip)
        button.setFixedWidth(26)
        button.clicked.connect(lambda: self.timeline.zoom(factor))
        return button

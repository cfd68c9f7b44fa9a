"""What our keys, and the buttons beside them, do with the chosen objects."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from qtpy.QtCore import QObject, Signal

from napari_sam2.engine.jobs import Job, once
from napari_sam2.prompts import FramePrompt, MaskPrompt
from napari_sam2.session.book.state import FrameFlag, ObjectState
from napari_sam2.session.planning.frame_set import FrameSet
from napari_sam2.ui.controller.conductor import Conductor
from napari_sam2.ui.controller.cursor import Cursor
from napari_sam2.ui.controller.selection import Selection
from napari_sam2.ui.keys.bindings import ToolKeys
from napari_sam2.ui.layers.colors import family_colors

DOUBTFUL = (
    "Object {} on frame {} is the least trusted that nobody reviewed ({:.2f}): U if it "
    "is right, else click to correct it."
)
NOTHING_DOUBTFUL = "No frame is left that nobody reviewed."
NO_MASKS = "There are no masks yet: track first."
NOT_THERE = "Object {} has no mask on frame {}: go to a frame that shows it."
CUT = "Object {} is object {} from frame {} on."
NO_FAMILY = "No object has a mother yet: set one, or accept a division."


class KeyVerbs(QObject):
    """Turns keys into verbs of the conductor."""

    polarity_reset = Signal()
    """A new object begins: the next click is inside."""
    track_toggled = Signal()
    pointed = Signal(int, int)
    """An object on a frame is meant, which is shown now."""
    told = Signal(str)

    def __init__(
        self, keys: ToolKeys, conductor: Conductor, selection: Selection, cursor: Cursor
    ) -> None:
        super().__init__(keys)
        self._conductor, self._selection, self._cursor = conductor, selection, cursor
        keys.new_object_requested.connect(self.new_object)
        keys.previous_object_requested.connect(lambda: self._step_object(-1))
        keys.next_object_requested.connect(lambda: self._step_object(1))
        keys.flip_requested.connect(conductor.flip_last_point)
        keys.remove_requested.connect(self.remove)
        keys.hide_requested.connect(self.toggle_hidden)
        keys.lock_requested.connect(self.toggle_lock)
        keys.doubtful_requested.connect(self.next_doubtful)
        keys.review_requested.connect(self.review_here)
        keys.previous_anchor_requested.connect(lambda: self._step_anchor(-1))
        keys.next_anchor_requested.connect(lambda: self._step_anchor(1))
        keys.cut_requested.connect(self.cut_here)
        keys.track_requested.connect(self.track_toggled)
        keys.undo_requested.connect(conductor.undo)
        keys.redo_requested.connect(conductor.redo)

    # --- Objects

    def new_object(self) -> None:
        """Go on with an object that does not exist yet; its first prompt makes it."""
        self.polarity_reset.emit()
        self._selection.go_on_with(self._conductor.book.next_id)

    def remove(self) -> None:
        """Delete the chosen objects."""
        chosen = self._known(self._selection.chosen or (self._selection.current,))
        if chosen:
            self._conductor.remove_objects(chosen)

    def toggle_hidden(self) -> None:
        """Hide the current object, or show it."""
        current = self._current()
        if current is not None:
            self._conductor.set_hidden([current.object_id], not current.is_hidden)

    # --- Frames of objects

    def toggle_lock(self) -> None:
        """Lock the current object on the frame that is shown, or unlock it."""
        current, here = self._current(), self._cursor.frame_index
        if current is not None:
            self._conductor.flag(
                FrameFlag.LOCKED,
                [current.object_id],
                FrameSet.of([here]),
                here not in current.locked,
            )

    def review_here(self) -> None:
        """Note that the chosen objects are right on the frame that is shown."""
        chosen = self._known(self._selection.chosen or (self._selection.current,))
        here = FrameSet.of([self._cursor.frame_index])
        self._conductor.flag(FrameFlag.REVIEWED, chosen, here)

    def next_doubtful(self) -> None:
        """Mark the frame that was jumped to reviewed; jump to the worst one left."""
        conductor = self._conductor
        if (tables := conductor.tables) is None:
            return
        worst = tables.worst_unreviewed(conductor.book)
        if worst is not None and self._is_shown(worst):
            conductor.flag(FrameFlag.REVIEWED, [worst[0]], FrameSet.of([worst[1]]))
            worst = tables.worst_unreviewed(conductor.book)
        if worst is None:
            self.told.emit(NOTHING_DOUBTFUL)
            return
        object_id, frame_index = worst
        self._selection.go_on_with(object_id)
        self._cursor.go_to(frame_index)
        self.pointed.emit(object_id, frame_index)
        trust = float(tables.trust()[frame_index, tables.columns[object_id]])
        self.told.emit(DOUBTFUL.format(object_id, frame_index, trust))

    # --- Tracks and families

    def cut_here(self) -> None:
        """Let the chosen object be another one from the frame shown on."""
        conductor, here = self._conductor, self._cursor.frame_index
        state, request = self._current(), conductor.editor.asked()
        if state is None or request is None:
            return
        store = conductor.engine.store_of(request)
        if store is None:
            self.told.emit(NO_MASKS)
            return

        def cut(labels: Any) -> None:
            mask = labels == state.object_id
            if not mask.any():
                self.told.emit(NOT_THERE.format(state.object_id, here))
                return
            new_id = conductor.book.next_id
            first = FramePrompt(new_id, here, mask=MaskPrompt(mask))
            if conductor.cut(state.object_id, first) is not None:
                self._selection.go_on_with(new_id)
                self.told.emit(CUT.format(state.object_id, new_id, here))

        read = once(store.read_labels, here)
        conductor.worker.submit(Job(read, cut, conductor.editor.failed.emit))

    def color_families(self) -> None:
        """Give each family the colour of its founder; again, take it away."""
        conductor = self._conductor
        colors = family_colors(conductor.book)
        if colors:
            conductor.recolor(colors)
        else:
            self.told.emit(NO_FAMILY)

    # --- Steps

    def _is_shown(self, place: tuple[int, int]) -> bool:
        return place == (self._selection.current, self._cursor.frame_index)

    def _step_object(self, by: int) -> None:
        self._selection.step(self._conductor.book, by)

    def _step_anchor(self, by: int) -> None:
        current, here = self._current(), self._cursor.frame_index
        anchors = () if current is None else current.anchors
        after = [frame for frame in anchors if frame > here]
        before = [frame for frame in anchors if frame < here]
        if by > 0 and after:
            self._cursor.go_to(after[0])
        elif by < 0 and before:
            self._cursor.go_to(before[-1])

    def _current(self) -> ObjectState | None:
        return self._conductor.book.get(self._selection.current)

    def _known(self, object_ids: Iterable[int]) -> list[int]:
        return [
            object_id for object_id in object_ids if object_id in self._conductor.book
        ]

"""Which objects are chosen, and which one the next click is about."""

from __future__ import annotations

from collections.abc import Iterable

from qtpy.QtCore import QObject, Signal

from napari_sam2.session.book.state import BookState


class Selection(QObject):
    """The chosen objects; the last one chosen is the current one."""

    changed = Signal(object)
    """Ids of the chosen objects, a tuple."""
    current_changed = Signal(int)
    """The object that the next click is about; it may not exist yet."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.chosen: tuple[int, ...] = ()
        self.current = 1

    def choose(self, object_ids: Iterable[int]) -> None:
        """Choose objects; without any, the current one stays."""
        chosen = tuple(object_ids)
        if chosen == self.chosen:
            return
        self.chosen = chosen
        if chosen and self.current not in chosen:
            self.current = chosen[-1]
            self.current_changed.emit(self.current)
        self.changed.emit(chosen)

    def go_on_with(self, object_id: int) -> None:
        """Make an object the current one, and the only one that is chosen."""
        if object_id != self.current:
            self.current = object_id
            self.current_changed.emit(object_id)
        if self.chosen != (object_id,):
            self.chosen = (object_id,)
            self.changed.emit(self.chosen)

    def step(self, book: BookState, by: int) -> None:
        """Go to the next object of a book, or the one before."""
        ids = book.object_ids
        if not ids:
            return
        after = [object_id for object_id in ids if object_id > self.current]
        before = [object_id for object_id in ids if object_id < self.current]
        if by > 0:
            self.go_on_with(after[0] if after else ids[0])
        else:
            self.go_on_with(before[-1] if before else ids[-1])

    def keep_within(self, book: BookState) -> None:
        """Let go of objects that are gone."""
        kept = tuple(object_id for object_id in self.chosen if object_id in book)
        if kept != self.chosen:
            self.choose(kept)

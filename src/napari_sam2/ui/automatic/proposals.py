"""Divisions that were seen: shown one by one, accepted or rejected by a key."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np
from qtpy.QtCore import QObject, Signal

from napari_sam2.engine import Request
from napari_sam2.engine.events import DivisionsSeen
from napari_sam2.engine.jobs import Job, once
from napari_sam2.errors import InputError, NapariSam2Error
from napari_sam2.prompts import FramePrompt, MaskPrompt
from napari_sam2.session.book.intake import free_ids
from napari_sam2.session.book.proposals import ProposedDivision, daughters_of
from napari_sam2.texts import counted
from napari_sam2.ui.controller.conductor import Conductor
from napari_sam2.ui.controller.cursor import Cursor
from napari_sam2.ui.controller.selection import Selection

NONE_SEEN = "No division is seen in what is tracked."
NOTHING = (
    "No division is proposed: push Find divisions, or look for everything with "
    "Divisions: Propose."
)


class Proposals(QObject):
    """Goes to proposed divisions, and does with them what a person decides.

    Parameters
    ----------
    request_of
        Returns what the panels say; raises `InputError` if they cannot.
    """

    changed = Signal(object)
    """The `ProposedDivision` that wait to be decided about, a tuple."""
    told = Signal(str)
    failed = Signal(object)

    def __init__(
        self,
        conductor: Conductor,
        selection: Selection,
        cursor: Cursor,
        request_of: Callable[[], Request],
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._conductor, self._selection, self._cursor = conductor, selection, cursor
        self._request_of = request_of
        self._waiting: list[ProposedDivision] = []

    def show(self, proposals: Iterable[ProposedDivision]) -> None:
        """Let people decide about these, and no others."""
        self._wait_for(proposals)
        if self._waiting:
            self.told.emit(f"{self._count()}: D goes to the first.")

    def look(self) -> None:
        """Let the scores of what is tracked say who may divide."""
        request = self._conductor.editor.asked()
        if request is None:
            return
        book = self._conductor.book
        find = partial(self._conductor.engine.search.divisions, request, book)

        def deliver(event: object) -> None:
            if isinstance(event, DivisionsSeen):
                self.show(event.proposals)
                if not event.proposals:
                    self.told.emit(NONE_SEEN)

        self._conductor.editor.submit(find, deliver)

    def accept(self) -> None:
        """Accept the division that is shown, or go to the nearest one."""
        proposed = self._here()
        if proposed is None:
            self._go_to_nearest()
            return
        try:
            if proposed.daughter == 0 and proposed.places is None:
                raise InputError(
                    "The second daughter is no object yet: click on her as a new one, "
                    f"and choose object {proposed.mother} as her mother"
                )
            store = self._conductor.engine.store_of(self._request_of())
            if store is None:
                raise InputError("There are no masks yet: track first")
        except NapariSam2Error as error:
            self.failed.emit(error)
            return
        read = once(store.read_labels, proposed.frame_index)

        def divide(labels: Any) -> None:
            self._divide(proposed, labels == proposed.mother)

        self._conductor.worker.submit(Job(read, divide, self.failed.emit))

    def reject(self) -> None:
        """Forget the division that is shown; nothing else changes."""
        proposed = self._here()
        if proposed is None:
            self._go_to_nearest()
            return
        self._wait_for(one for one in self._waiting if one is not proposed)
        self.told.emit(f"Rejected. {self._count()}.")

    def _divide(self, proposed: ProposedDivision, mask: np.ndarray) -> None:
        if not mask.any():
            where = f"object {proposed.mother} has no mask on {proposed.frame_index}"
            self.failed.emit(InputError(f"{where}: track it first"))
            return
        free = free_ids(self._conductor.book.object_ids)
        new_ids = (next(free), next(free))
        sister: int | FramePrompt = proposed.daughter
        first = FramePrompt(new_ids[0], proposed.frame_index, mask=MaskPrompt(mask))
        if proposed.daughter == 0:
            first, sister = daughters_of(proposed, mask, new_ids)
        edit = self._conductor.divide(proposed.mother, sister, first)
        if edit is not None:
            self._wait_for(one for one in self._waiting if one is not proposed)
            self.told.emit(
                f"Object {proposed.mother} divides into {new_ids[0]} and "
                f"{proposed.daughter or new_ids[1]}. {self._count()}."
            )

    def _here(self) -> ProposedDivision | None:
        """Return the proposal that is looked at."""
        self._drop_gone()
        for one in self._waiting:
            is_chosen = self._selection.current in (one.mother, one.daughter)
            if is_chosen and one.frame_index == self._cursor.frame_index:
                return one
        return None

    def _go_to_nearest(self) -> None:
        here = self._cursor.frame_index
        near = min(
            self._waiting, key=lambda one: abs(one.frame_index - here), default=None
        )
        if near is None:
            self.told.emit(NOTHING)
            return
        self._selection.go_on_with(near.mother)
        self._cursor.go_to(near.frame_index)
        other = near.daughter or "one that is no object yet"
        self.told.emit(
            f"Does object {near.mother} divide here, into itself and {other}? "
            "D accepts, Ctrl+D rejects."
        )

    def _drop_gone(self) -> None:
        """Forget proposals whose objects were deleted or merged."""
        book = self._conductor.book
        self._wait_for(
            one
            for one in self._waiting
            if one.mother in book and (one.daughter == 0 or one.daughter in book)
        )

    def _wait_for(self, proposals: Iterable[ProposedDivision]) -> None:
        """Let these wait, and say so if they are others than before."""
        before, self._waiting = self._waiting, list(proposals)
        if self._waiting != before:
            self.changed.emit(tuple(self._waiting))

    def _count(self) -> str:
        return f"{counted(len(self._waiting), 'division')} proposed"

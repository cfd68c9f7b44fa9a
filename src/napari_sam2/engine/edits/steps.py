"""The steps of the history, and who they belong to."""

from __future__ import annotations

from collections.abc import Hashable, Iterator

from napari_sam2.batch.score_tables import tables_of
from napari_sam2.engine.events import (
    BookReturned,
    Event,
    FramesChanged,
    Request,
    ScoresRead,
)
from napari_sam2.engine.workspace.workspace import Workspace
from napari_sam2.session.book.prompt_book import Edit
from napari_sam2.session.planning.frame_set import FrameSet


class Steps:
    """Records steps where the masklets are, or in memory before there are any."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._early: dict[Hashable, tuple[list[Edit], list[Edit]]] = {}

    def record_early(self, request: Request, edit: Edit) -> None:
        """Record an edit of a book that has no prompts, and no masklets."""
        done, undone = self._early_steps(request)
        done.append(edit)
        undone.clear()

    def record(self, request: Request, edit: Edit) -> None:
        """Open the step of an edit: what is written from now on belongs to it.

        Edits that were passed over are part of it: nobody saw an answer to them.
        """
        masklets = self._workspace.opened(request)
        for early in self._early_steps(request)[0]:
            masklets.store.history.begin(early.text, early.before, early.after)
        self._early.pop(request.masklets_key)
        passed, masklets.pending = masklets.pending, []
        before = passed[0].before if passed else edit.before
        masklets.store.history.begin(edit.text, before, edit.after)

    def join(self, request: Request, edit: Edit) -> None:
        """Let what is written from now on belong to the last step, if it is open."""
        if not self._workspace.opened(request).store.history.is_open:
            self.record(request, edit)

    def undo(self, request: Request) -> Iterator[Event]:
        """Take the last step back."""
        yield from self._turn(request, is_redo=False)

    def redo(self, request: Request) -> Iterator[Event]:
        """Do the step again that was undone last."""
        yield from self._turn(request, is_redo=True)

    def _turn(self, request: Request, *, is_redo: bool) -> Iterator[Event]:
        masklets = self._workspace.masklets(request)
        if masklets is None:
            done, undone = self._early_steps(request)
            taken, given = (undone, done) if is_redo else (done, undone)
            if taken:
                edit = taken.pop()
                given.append(edit)
                yield BookReturned(edit.text, edit.after if is_redo else edit.before)
            return
        history = masklets.store.history
        returned = history.redo() if is_redo else history.undo()
        if returned is None:
            return
        masklets.pending.clear()
        masklets.interrupted = None
        masklets.adopt(returned.state)
        self._workspace.forget_answers()
        yield BookReturned(returned.text, returned.state)
        if returned.frames:
            yield FramesChanged(FrameSet.of(returned.frames))
            yield ScoresRead(tables_of(masklets.store, request.model))

    def _early_steps(self, request: Request) -> tuple[list[Edit], list[Edit]]:
        """Return what was done and undone before there were masklets."""
        return self._early.setdefault(request.masklets_key, ([], []))

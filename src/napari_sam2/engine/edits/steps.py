"""The steps of the history, and who they belong to."""

from __future__ import annotations

from collections.abc import Hashable, Iterator

from napari_sam2.engine.events import (
    BookReturned,
    Event,
    FramesChanged,
    Request,
    ScoresRead,
)
from napari_sam2.engine.workspace.score_reading import tables_of
from napari_sam2.engine.workspace.workspace import Workspace
from napari_sam2.session.book.prompt_book import Edit
from napari_sam2.session.planning.frame_set import FrameSet


class Steps:
    """Records steps where the masklets are, or in memory before there are any.

    Parameters
    ----------
    workspace
        What is open.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._early: dict[Hashable, EarlySteps] = {}

    def record_early(self, request: Request, edit: Edit) -> None:
        """Record an edit of a book that has no prompts, and no masklets."""
        self._early_steps(request).add(edit)

    def record(self, request: Request, edit: Edit) -> None:
        """Open the step of an edit: what is written from now on belongs to it.

        Edits that were passed over are part of it: nobody saw an answer to them.
        """
        masklets = self._workspace.opened(request)
        for early in self._early_steps(request).hand_over():
            masklets.store.history.begin(early.text, early.before, early.after)
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
            early = self._early_steps(request)
            edit = early.redo() if is_redo else early.undo()
            if edit is not None:
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
            yield ScoresRead(tables_of(masklets.store))

    def _early_steps(self, request: Request) -> EarlySteps:
        return self._early.setdefault(request.masklets_key, EarlySteps())


class EarlySteps:
    """Edits of a book that has no file yet: nothing was prompted."""

    def __init__(self) -> None:
        self._done: list[Edit] = []
        self._undone: list[Edit] = []

    def add(self, edit: Edit) -> None:
        """Add a step; those that were undone are gone."""
        self._done.append(edit)
        self._undone.clear()

    def undo(self) -> Edit | None:
        """Take the last step back."""
        if not self._done:
            return None
        self._undone.append(self._done.pop())
        return self._undone[-1]

    def redo(self) -> Edit | None:
        """Do the step again that was undone last."""
        if not self._undone:
            return None
        self._done.append(self._undone.pop())
        return self._done[-1]

    def hand_over(self) -> list[Edit]:
        """Return all steps that hold, and forget them: they go to the disk."""
        steps, self._done = self._done, []
        self._undone.clear()
        return steps

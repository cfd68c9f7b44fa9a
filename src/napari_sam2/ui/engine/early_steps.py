"""Steps of the history before there are masklets to keep it in."""

from __future__ import annotations

from napari_sam2.session.book.prompt_book import Edit


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

"""Which steps of undo there are, as JSON."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from napari_sam2.io.sessions.book_json import ObjectChange


class _Document(BaseModel):
    model_config = ConfigDict(extra="ignore")


class Ledger(_Document):
    """Which steps there are.

    Attributes
    ----------
    done
        Numbers of steps that hold, ascending.
    undone
        Numbers of steps that were taken back, the last one last.
    next_number
        Never given out before.
    texts
        What each of them did.
    restoring
        Step whose chunks are being put in place, and which of its sides.
    """

    done: list[int] = []
    undone: list[int] = []
    next_number: int = 1
    texts: dict[int, str] = {}
    restoring: tuple[int, Literal["before", "after"]] | None = None

    def after_restoring(self) -> Ledger:
        """Return the ledger once the step that is being restored is in place."""
        if self.restoring is None:
            return self
        number, side = self.restoring
        done = [one for one in self.done if one != number]
        undone = [one for one in self.undone if one != number]
        if side == "before":
            undone.append(number)
        else:
            done.append(number)
        return self.model_copy(
            update={"done": done, "undone": undone, "restoring": None}
        )


class Step(_Document):
    """What a step did to the book."""

    changes: list[ObjectChange]

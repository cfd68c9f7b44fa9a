"""Which steps of undo there are, as JSON."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, model_validator

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

    @model_validator(mode="after")
    def _check(self) -> Self:
        steps = {*self.done, *self.undone}
        is_ordered = self.done == sorted(self.done) and min(steps, default=1) > 0
        is_told = steps <= self.texts.keys()
        is_given_out = max(steps, default=0) < self.next_number
        is_there = self.restoring is None or self.restoring[0] in steps
        is_once = len(steps) == len(self.done) + len(self.undone)
        if not (is_ordered and is_told and is_given_out and is_there and is_once):
            raise ValueError("the steps contradict each other")
        return self

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

"""Keeping account of the masks that clicks wait for. Nothing of napari or Qt."""

from __future__ import annotations

from dataclasses import dataclass

from napari_sam2.prompts import FramePrompt
from napari_sam2.ui.point_prompts import ClickChanges, Clicks


@dataclass(frozen=True, slots=True)
class Ticket:
    """What one frame waits for.

    Attributes
    ----------
    frame_index, number
        The frame; higher numbers are later.
    prompts
        Of each object whose mask there is to be renewed.
    cleared
        Objects that are to be taken out of the frame.
    """

    frame_index: int
    number: int
    prompts: tuple[FramePrompt, ...]
    cleared: tuple[int, ...]


class OwedMasks:
    """Keeps account of frames that were clicked on and not answered yet.

    Each click on a frame makes a new ticket with a higher number, which asks for all
    that is still owed there; answers to earlier tickets are late, and dropped.
    """

    def __init__(self) -> None:
        self._owed: dict[int, set[int]] = {}
        self._numbers: dict[int, int] = {}

    def note(self, changes: ClickChanges, clicks: Clicks) -> list[Ticket]:
        """Take note of changed clicks; return the tickets of the changed frames."""
        for frame_index, prompts in changes.prompted.items():
            ids = {prompt.object_id for prompt in prompts}
            self._owed.setdefault(frame_index, set()).update(ids)
        for frame_index, object_ids in changes.cleared.items():
            self._owed.setdefault(frame_index, set()).update(object_ids)
        for owed in self._owed.values():
            owed.difference_update(changes.removed)
        return [self._ticket(frame, clicks) for frame in changes.frames()]

    def is_current(self, ticket: Ticket) -> bool:
        """Whether nobody clicked on the frame since."""
        return self._numbers.get(ticket.frame_index) == ticket.number

    def settle(self, ticket: Ticket) -> None:
        """Take note that a ticket was answered, or failed."""
        if self.is_current(ticket):
            self._owed.pop(ticket.frame_index, None)

    def clear(self) -> None:
        """Forget all that is owed; answers on their way are late."""
        self._owed.clear()
        self._numbers = {frame: number + 1 for frame, number in self._numbers.items()}

    def _ticket(self, frame_index: int, clicks: Clicks) -> Ticket:
        number = self._numbers.get(frame_index, 0) + 1
        self._numbers[frame_index] = number
        owed = sorted(self._owed.get(frame_index, ()))
        places = [(object_id, frame_index) for object_id in owed]
        return Ticket(
            frame_index,
            number,
            tuple(clicks.prompts[place] for place in places if place in clicks.prompts),
            tuple(one for one, frame in places if (one, frame) not in clicks.prompts),
        )

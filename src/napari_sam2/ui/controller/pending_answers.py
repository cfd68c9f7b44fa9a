"""Keeping account of the frames that edits wait for. Nothing of napari or Qt."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Claim:
    """What one edit waits for.

    Attributes
    ----------
    numbers
        By frame; higher numbers are later.
    """

    numbers: dict[int, int]


class PendingAnswers:
    """Numbers the edits of each frame, so that late answers are known and dropped."""

    def __init__(self) -> None:
        self._numbers: dict[int, int] = {}

    def note(self, frames: Iterable[int]) -> Claim:
        """Take note of an edit of some frames; earlier answers there are late."""
        for frame_index in frames:
            self._numbers[frame_index] = self._numbers.get(frame_index, 0) + 1
        return Claim({frame: self._numbers[frame] for frame in frames})

    def is_wanted(self, claim: Claim, frame_index: int) -> bool:
        """Whether no later edit is about the frame; asked from the worker."""
        number = claim.numbers.get(frame_index)
        return number is None or self._numbers.get(frame_index) == number

    def is_current(self, claim: Claim) -> bool:
        """Whether no later edit is about any of its frames."""
        return all(self.is_wanted(claim, frame) for frame in claim.numbers)

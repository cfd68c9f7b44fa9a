"""All hard cases that a tracker was asked for, as one."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from napari_sam2.errors import InputError
from napari_sam2.interfaces import Arrays
from napari_sam2.tracking.hard_cases.case import HardCase
from napari_sam2.tracking.hard_cases.coming_back import ComingBack
from napari_sam2.tracking.hard_cases.names import HardCaseName, chosen_cases
from napari_sam2.tracking.hard_cases.one_component import OneComponent
from napari_sam2.tracking.hard_cases.stage_jumps import StageJumps
from napari_sam2.tracking.memory.bank import MemoryBank
from napari_sam2.tracking.step_result import Prediction

MAKERS = {
    HardCaseName.STAGE_JUMPS: StageJumps,
    HardCaseName.COMING_BACK: ComingBack,
}


class HardCases(HardCase):
    """Some cases, one after the other.

    Parameters
    ----------
    names
        Those that a person asked for.
    one_component
        Whether tracked masks are cut to one component before they are remembered.

    Raises
    ------
    InputError
        If a case is unknown, or the frame is in tiles.
    """

    def __init__(
        self, names: Collection[str], bank: MemoryBank, *, one_component: bool
    ) -> None:
        self.names = chosen_cases(names)
        if self.names and len(bank.layout) > 1:
            raise InputError(
                f"hard case {self.names[0]} with tiles: objects in tiles cannot be "
                "followed like that; leave out the tiles, or the hard case"
            )
        self._cases: list[HardCase] = [OneComponent(bank)] if one_component else []
        self._cases += [MAKERS[name](bank) for name in self.names]

    def show(self, frame_index: int, frame: np.ndarray) -> None:
        """Show a frame to all."""
        for case in self._cases:
            case.show(frame_index, frame)

    def answer(self, seen: Prediction) -> Prediction:
        """Return the masks that all agree on."""
        for case in self._cases:
            seen = case.answer(seen)
        return seen

    def waits(self, seen: Prediction) -> np.ndarray:
        """Tell whom any of them waits for."""
        waiting = super().waits(seen)
        for case in self._cases:
            waiting |= case.waits(seen)
        return waiting

    def forget(self, object_ids: Collection[int] | None = None) -> None:
        """Let all forget."""
        for case in self._cases:
            case.forget(object_ids)

    def snapshot(self) -> dict[str, np.ndarray]:
        """Return what all remember."""
        arrays: dict[str, np.ndarray] = {}
        for case in self._cases:
            arrays |= case.snapshot()
        return arrays

    def restore(self, arrays: Arrays) -> None:
        """Let all remember."""
        for case in self._cases:
            case.restore(arrays)

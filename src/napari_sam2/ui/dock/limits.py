"""Says when the model is the limit, and offers what would help."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from qtpy.QtCore import QObject

from napari_sam2.batch.tile_choice import AUTO
from napari_sam2.engine import Remark
from napari_sam2.model.checkpoints.registry import REGISTRY
from napari_sam2.session.book.state import BookState
from napari_sam2.session.scores.tables import ScoreTables
from napari_sam2.ui.dock.parts import TrackerParts
from napari_sam2.ui.dock.sections import DockSections
from napari_sam2.ui.model.view import model_title

LARGER = "sam2.1_small"
"""Sees four times as much of a frame as the bundled model, and is no large download."""

CLOSER = "Look closely (tiles)"

MOSTLY = 0.5
FEWEST = 10
"""So large a part of so many masks is doubtful that something else is worth a try."""


@dataclass(frozen=True, slots=True)
class Doubts:
    """How many tracked masks nobody vouches for are of little trust.

    Attributes
    ----------
    doubtful, unreviewed
        Numbers of masks.
    """

    doubtful: int
    unreviewed: int

    @classmethod
    def of(cls, book: BookState, tables: ScoreTables) -> Doubts:
        """Count them."""
        return cls(
            int(np.count_nonzero(tables.doubtful(book))),
            int(np.count_nonzero(tables.unreviewed(book))),
        )

    @property
    def is_mostly(self) -> bool:
        """Whether most masks are doubtful."""
        return self.unreviewed >= FEWEST and self.doubtful > MOSTLY * self.unreviewed


class ModelLimits(QObject):
    """Offers to look closely where cells are too small, or help after doubtful runs."""

    def __init__(
        self, parts: TrackerParts, sections: DockSections, parent: QObject
    ) -> None:
        super().__init__(parent)
        self._parts, self._sections = parts, sections
        parts.conductor.happened.connect(self._on_event)
        parts.conductor.tracked.connect(self._on_tracked)

    def _on_event(self, event: object) -> None:
        if not isinstance(event, Remark):
            return
        steps: dict[str, Callable[[], None]] = {}
        region = self._parts.input_panel.region
        if self._parts.model_panel.choice.tiles is None:
            steps[CLOSER] = self._look_closely
        if region.region is None:
            steps["Only what is shown"] = region.look_at_what_is_shown
        if self._can_be_larger:
            steps[model_title(REGISTRY[LARGER])] = self._take_larger
        if steps:
            said = event.text[:1].upper() + event.text[1:]
            self._parts.offer.make(f"{said}.", steps)

    def _on_tracked(self, is_done: bool, _was_cancelled: bool) -> None:
        parts = self._parts
        tables = parts.conductor.tables
        if not is_done or tables is None or parts.offer.is_open:
            return
        doubts = Doubts.of(parts.conductor.book, tables)
        if not doubts.is_mostly:
            return
        steps = {"Correct the worst (J)": parts.verbs.next_doubtful}
        larger = ""
        if self._can_be_larger:
            steps[model_title(REGISTRY[LARGER])] = self._take_larger
            larger = ", or a larger model"
        parts.offer.make(
            f"{doubts.doubtful:,} of {doubts.unreviewed:,} masks are doubtful. What "
            "helps: correct one frame of a cell, fine-tune on these cells (Plugins › "
            f"SAM 2 Tracker › SAM 2 Train){larger}.",
            steps,
        )

    @property
    def _can_be_larger(self) -> bool:
        entry = REGISTRY.get(self._parts.model_panel.model)
        return entry is not None and entry.is_bundled

    def _look_closely(self) -> None:
        """Let tiles be as the cells need; what was clicked is answered anew."""
        self._parts.model_panel.tile_combo.choose(AUTO)

    def _take_larger(self) -> None:
        """Choose it, and show where it is downloaded if it is not here."""
        self._parts.model_panel.choose(LARGER)
        self._sections.model.set_open(True)

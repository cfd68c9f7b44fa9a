"""What makes a movie hard, as a person sees it: boxes to tick."""

from __future__ import annotations

from dataclasses import replace

from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QCheckBox

from napari_sam2.interfaces import TrackerSettings
from napari_sam2.tracking.hard_cases.names import HardCaseName
from napari_sam2.ui.widgets.panel import Note

TOUCHING = (
    "Cells look alike and touch",
    "Each object stays in the pieces that it had: what else its mask takes in is cut "
    "off before it is remembered. Not for what falls into parts and stays one object, "
    "as filaments that cross do",
)
SEEN = {
    HardCaseName.STAGE_JUMPS: (
        "The stage jumps or drifts",
        "Each frame is compared with the one before: what is remembered moves along "
        "with the picture, and recent frames are forgotten after a cut",
    ),
    HardCaseName.COMING_BACK: (
        "Cells vanish and come back",
        "Who is away is waited for: no frame without the object is remembered, and a "
        "mask elsewhere is taken for it only where the model is sure. Not for cells "
        "that leave for good",
    ),
}
"""By case: what a person sees, and what is done about it."""
NOT_IN_TILES = "In tiles this cannot be had: look at whole frames (Small cells)"


class HardCaseBoxes(QObject):
    """A box for each thing that can be seen; to be laid out by the panel."""

    changed = Signal()
    """Something else is chosen now."""
    ticked = Signal()
    """A person ticked a box, or took a tick away."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._usual = False
        self._chosen = TrackerSettings()
        self.note = Note()
        self.note.show_text("Tick what you see in the movie:")
        self.touching_box = _box(*TOUCHING)
        self.case_boxes = {name: _box(*texts) for name, texts in SEEN.items()}
        self.touching_box.clicked.connect(self._on_touching)
        for box in self.case_boxes.values():
            box.clicked.connect(self._on_case)

    def set_frozen(self, frozen: bool, *, in_tiles: bool) -> None:
        """Let nothing be changed, or no case be ticked that tiles do not go with."""
        self.touching_box.setDisabled(frozen)
        excluded = in_tiles and not self._chosen.hard_cases
        for name, box in self.case_boxes.items():
            box.setDisabled(frozen or excluded)
            box.setToolTip(NOT_IN_TILES if excluded else SEEN[name][1])

    @property
    def boxes(self) -> tuple[QCheckBox, ...]:
        """All boxes, from top to bottom."""
        return self.touching_box, *self.case_boxes.values()

    @property
    def chosen(self) -> TrackerSettings:
        """How objects are followed; whether in one piece says the model, until told."""
        return self._chosen

    def choose(self, tracker: TrackerSettings) -> None:
        """Show how the objects of a movie are followed."""
        self._chosen = tracker
        self._show()
        self.changed.emit()

    def show_usual(self, one_component: bool) -> None:
        """Show how a model is best followed, as long as nobody has chosen."""
        self._usual = one_component
        self._show()

    def _show(self) -> None:
        told = self._chosen.one_component
        self.touching_box.setChecked(self._usual if told is None else told)
        for name, box in self.case_boxes.items():
            box.setChecked(name in self._chosen.hard_cases)

    def _on_touching(self, is_ticked: bool) -> None:
        self.choose(replace(self._chosen, one_component=is_ticked))
        self.ticked.emit()

    def _on_case(self) -> None:
        ticked = (str(name) for name, box in self.case_boxes.items() if box.isChecked())
        self.choose(replace(self._chosen, hard_cases=tuple(ticked)))
        self.ticked.emit()


def _box(text: str, tip: str) -> QCheckBox:
    box = QCheckBox(text)
    box.setToolTip(tip)
    return box

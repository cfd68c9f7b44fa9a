"""How closely the model looks at frames: as they are, or in tiles for small cells."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox

from napari_sam2.engine import Tiles
from napari_sam2.ui.widgets.panel import narrow

CHOICES: dict[Tiles, str] = {
    None: "look at whole frames",
    "auto": "automatic, by their size",
    "native": "look closely (tiles)",
}

WHY = (
    "A large frame is made small for the model, and small cells are lost. In tiles it "
    "sees them at their own size. Each choice has masks of its own; prompts go along"
)
NOT_WITH_CASES = "With a hard case there can be no tiles: take its tick away first"


class TileCombo(QComboBox):
    """Lists how small cells may be looked at."""

    changed = Signal()
    """Another way was chosen."""

    def __init__(self) -> None:
        super().__init__()
        narrow(self)
        self._choices = list(CHOICES)
        for title in CHOICES.values():
            self.addItem(title)
        self.set_frozen(False)
        self.setAccessibleName("How closely small cells are looked at")
        self.currentIndexChanged.connect(self.changed)

    def set_frozen(self, frozen: bool, *, has_case: bool = False) -> None:
        """Let nothing be changed, or no tiles be chosen beside a hard case."""
        excluded = has_case and self.tiles is None
        self.setDisabled(frozen or excluded)
        self.setToolTip(NOT_WITH_CASES if excluded else WHY)

    @property
    def tiles(self) -> Tiles:
        """What is chosen."""
        return self._choices[self.currentIndex()]

    def choose(self, tiles: Tiles) -> None:
        """Choose a way; tiles of another size, such as a session has, are added."""
        if tiles not in self._choices:
            self._choices.append(tiles)
            self.addItem(f"tiles of {tiles} pixels")
        self.setCurrentIndex(self._choices.index(tiles))

"""A list of networks: the published ones, and those that a person made here."""

from __future__ import annotations

import html
from collections.abc import Sequence

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QComboBox, QSizePolicy

from napari_sam2.model.checkpoints.own_models import OwnModel
from napari_sam2.model.checkpoints.registry import REGISTRY
from napari_sam2.ui.model.view import model_title

NARROWEST = 10
IS_OWN = int(Qt.ItemDataRole.UserRole) + 1


class ModelCombo(QComboBox):
    """Lists networks; an item's data is what stands for it wherever one is asked for.

    Own models come last, before items that were added after the published ones.
    """

    about_to_open = Signal()
    """The list is going to be seen: a good moment for `show_own_models`."""

    def __init__(self) -> None:
        super().__init__()
        self.setMinimumContentsLength(NARROWEST)
        self.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        for entry in REGISTRY.values():
            if entry.is_bundled or entry.name.startswith("sam2.1"):
                self.addItem(model_title(entry), entry.name)
        self._published = self.count()

    def showPopup(self) -> None:
        """Ask for the latest own models, and open."""
        self.about_to_open.emit()
        super().showPopup()

    def show_own_models(self, models: Sequence[OwnModel]) -> None:
        """List these own models; what is chosen stays, even if it is gone."""
        before = self.blockSignals(True)
        for index in reversed(range(self.count())):
            if self.itemData(index, IS_OWN) and index != self.currentIndex():
                self.removeItem(index)
        for place, model in enumerate(models, start=self._published):
            index = self.findData(str(model.path))
            if index < 0:
                index = min(place, self.count())
                self.insertItem(index, model.name, str(model.path))
            self.setItemText(index, model.name)
            self.setItemData(index, True, IS_OWN)
            tip = card_tip(_card(model))
            self.setItemData(index, tip, Qt.ItemDataRole.ToolTipRole)
        self.blockSignals(before)


def card_tip(card: str) -> str:
    """Return a tooltip that shows a card as it is written.

    Qt wraps long lines in rich text only.

    >>> card_tip("J < 1")
    '<p style="white-space: pre-wrap">J &lt; 1</p>'
    """
    return f'<p style="white-space: pre-wrap">{html.escape(card)}</p>'


def _card(model: OwnModel) -> str:
    try:
        return model.card
    except UnicodeDecodeError:  # somebody wrote another file there
        return model.summary

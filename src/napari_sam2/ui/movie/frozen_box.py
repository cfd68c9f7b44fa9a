"""A line that says whether what the model sees is frozen, and a way to change it."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QMessageBox, QPushButton, QWidget

from napari_sam2.engine.movie.channels import ChannelChoice
from napari_sam2.ui.widgets.panel import Note

if TYPE_CHECKING:
    from napari.layers import Image


class LookState(StrEnum):
    """What decides what the model sees, in words."""

    NOTHING = ""
    FOLLOWS = "The model sees what you see: the layer's contrast, gamma and inversion."
    OWN = "The model sees a contrast of its own, not that of the layer."
    RGB = "The model sees the colours as they are."
    FROZEN = "❄ Frozen with the session: the layer's contrast changes nothing any more."


WHAT_FOLLOWS = (
    "Masks that are there stay as they are. The model then sees the movie otherwise: "
    "new clicks and new tracking may differ from the old, and a stopped run begins "
    "anew. To have all masks from one picture, track everything again."
)


def look_state(
    layer: Image | None, choices: Sequence[ChannelChoice], *, is_frozen: bool
) -> LookState:
    """Return what decides what the model sees of a layer.

    Parameters
    ----------
    layer
        The movie.
    choices
        Its channels.
    is_frozen
        Whether the look is frozen with the session.
    """
    if layer is None:
        return LookState.NOTHING
    if layer.rgb:
        return LookState.RGB
    if is_frozen:
        return LookState.FROZEN
    is_own = any(choice.look is not None for choice in choices)
    return LookState.OWN if is_own else LookState.FOLLOWS


class FrozenBox(QWidget):
    """Shows the state; asks before it lets anybody change it."""

    change_requested = Signal()
    """Somebody wants to change what the model sees, and knows what will follow."""

    def __init__(self) -> None:
        super().__init__()
        self.note = Note()
        self.button = QPushButton("Chan&ge …")
        self.button.setToolTip("Let the model see the movie otherwise; asks first")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.note, 1)
        row.addWidget(self.button)
        self.button.clicked.connect(self._ask)

    def show_state(self, state: LookState, *, is_changeable: bool) -> None:
        """Say what decides what the model sees.

        Parameters
        ----------
        state
            What does.
        is_changeable
            Whether it can be changed now.
        """
        self.note.show_text(str(state))
        self.button.setVisible(state is LookState.FROZEN)
        self.button.setEnabled(is_changeable)

    def _ask(self) -> None:
        answer = QMessageBox.question(self, "Change what the model sees?", WHAT_FOLLOWS)
        if answer == QMessageBox.StandardButton.Yes:
            self.change_requested.emit()

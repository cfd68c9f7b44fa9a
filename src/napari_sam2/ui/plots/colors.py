"""Colours of curves: those of the masks, as far as they can be seen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from qtpy.QtGui import QColor, QPalette

FAINT = 0.25
"""Contrast to the background under which a colour is mixed with that of the text."""

LARGEST_SHARE = 0.6
LUMINANCE = np.array([0.299, 0.587, 0.114])


def legible(color: Sequence[float] | np.ndarray, palette: QPalette) -> QColor:
    """Return a colour, mixed with that of the text if it would hardly be seen.

    Parameters
    ----------
    color
        ``(r, g, b, a)`` in 0…1.
    palette
        Of the window that it is drawn in.
    """
    ground = np.array(palette.color(QPalette.ColorRole.Base).getRgbF()[:3])
    text = np.array(palette.color(QPalette.ColorRole.Text).getRgbF()[:3])
    wanted = np.array(color[:3])
    contrast = abs(float((wanted - ground) @ LUMINANCE))
    share = LARGEST_SHARE * max(0.0, 1 - contrast / FAINT)
    return QColor.fromRgbF(*map(float, wanted + share * (text - wanted)))

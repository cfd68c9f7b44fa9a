"""How pictures of windows are kept: small, and in one folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from qtpy.QtWidgets import QWidget

COLORS = 256
"""Colours of a picture: it stays small, and nobody sees the difference."""

STEPS = 0xF8
"""Colours that differ by less are one."""


@dataclass
class Setting:
    """How the windows are, and where their pictures go.

    Attributes
    ----------
    size
        Width and height of a window in pixels; at first, napari's has so many.
    theme
        Of napari, while the tutorial is followed.
    folder
        Where pictures go.
    """

    size: tuple[int, int] = (1089, 768)
    theme: str = "dark"
    folder: Path = Path(__file__).parent / "images"


SETTING = Setting()


def save_widget(widget: QWidget, name: str) -> None:
    """Save a part of the window."""
    from qtpy.QtGui import QImage

    image = widget.grab().toImage().convertToFormat(QImage.Format.Format_RGB888)
    rows, stride = image.height(), image.bytesPerLine()
    memory = image.constBits()
    if hasattr(memory, "setsize"):
        memory.setsize(rows * stride)
    flat = np.frombuffer(memory, np.uint8).reshape(rows, stride)
    save_pixels(flat[:, : 3 * image.width()].reshape(rows, -1, 3), name)


def save_pixels(pixels: np.ndarray, name: str) -> None:
    """Save ``(Y, X, colours)`` as a small PNG."""
    SETTING.folder.mkdir(parents=True, exist_ok=True)
    pixels = np.ascontiguousarray(pixels[..., :3])
    colors, counts = np.unique(pixels.reshape(-1, 3), axis=0, return_counts=True)
    # Those of the window as they are; of the others, however rarely they are seen.
    common = colors[np.argsort(-counts)[: COLORS // 2]]
    others = np.unique(colors & STEPS, axis=0)[None]
    rest = Image.fromarray(others).quantize(COLORS - len(common), kmeans=1)
    palette = Image.new("P", (1, 1))
    palette.putpalette([*common.ravel().tolist(), *(rest.getpalette() or ())])
    picture = Image.fromarray(pixels)
    picture.quantize(palette=palette, dither=Image.Dither.NONE).save(
        SETTING.folder / name, optimize=True
    )

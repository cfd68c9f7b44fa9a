"""Icons in the colour of napari's theme.

The pictures are the files ``icons/<name>.svg``, drawn in ``currentColor``. They are
coloured at the moment they are painted, so they follow a change of the theme by
themselves.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Self

import napari
from napari.settings import get_settings
from napari.utils.theme import get_theme
from qtpy.QtCore import QByteArray, QPoint, QRect, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QIcon, QIconEngine, QPainter, QPalette, QPixmap
from qtpy.QtSvg import QSvgRenderer

DISABLED_OPACITY = 0.35
"""Of buttons that cannot be pressed; legible in both themes."""

_FOLDER = files("napari_sam2.ui") / "icons"


def icon_names() -> list[str]:
    """Return the names of all icons, by the alphabet."""
    found = (one.name for one in _FOLDER.iterdir())
    return sorted(one.removesuffix(".svg") for one in found if one.endswith(".svg"))


def icon(name: str, palette: QPalette | QColor | None = None) -> QIcon:
    """Return an icon for buttons, menus and table cells.

    Parameters
    ----------
    name
        One of `icon_names`, such as ``"play"``.
    palette
        Whose text on buttons it matches, or a colour; napari's theme if left out, and
        then it changes with the theme.

    Raises
    ------
    FileNotFoundError
        If there is no such icon.
    """
    _drawing(name)
    if isinstance(palette, QPalette):
        palette = palette.color(QPalette.ColorRole.ButtonText)
    return QIcon(_ThemedIcon(name, palette))


def theme_color() -> QColor:
    """Return the colour that icons have in the current viewer's theme."""
    viewer = napari.current_viewer()
    theme = get_settings().appearance.theme if viewer is None else viewer.theme
    return QColor(get_theme(theme).icon.as_hex())


class _ThemedIcon(QIconEngine):
    """Draws one picture in a colour, or in that of the theme."""

    def __init__(self, name: str, color: QColor | None) -> None:
        super().__init__()
        self._name = name
        self._color = color

    def clone(self) -> Self:
        return type(self)(self._name, self._color)

    def paint(
        self,
        painter: QPainter | None,
        rect: QRect,
        mode: QIcon.Mode,
        _state: QIcon.State,
    ) -> None:
        if painter is None:
            return
        color = self._color or theme_color()
        colored = _drawing(self._name).replace("currentColor", color.name())
        painter.save()
        if mode == QIcon.Mode.Disabled:
            painter.setOpacity(DISABLED_OPACITY * painter.opacity())
        side = min(rect.width(), rect.height())
        square = QRect(0, 0, side, side)
        square.moveCenter(rect.center())
        QSvgRenderer(QByteArray(colored.encode())).render(painter, QRectF(square))
        painter.restore()

    def pixmap(self, size: QSize, mode: QIcon.Mode, state: QIcon.State) -> QPixmap:
        pixmap = QPixmap(size)
        pixmap.fill(Qt.GlobalColor.transparent)
        painter = QPainter(pixmap)
        self.paint(painter, QRect(QPoint(0, 0), size), mode, state)
        painter.end()
        return pixmap


@cache
def _drawing(name: str) -> str:
    return (_FOLDER / f"{name}.svg").read_text(encoding="utf-8")

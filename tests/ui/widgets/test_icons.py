import numpy as np
import pytest
from napari.settings import get_settings
from qtpy.QtGui import QColor, QIcon

from napari_sam2.ui.widgets.icons import icon, icon_names


def pixels(one, mode=QIcon.Mode.Normal):
    """``(Y, X, RGBA)``, colours not multiplied by opacity."""
    image = one.pixmap(32, 32, mode).toImage()
    rows = range(image.height())
    return np.array([[image.pixelColor(x, y).getRgb() for x in rows] for y in rows])


def test_all_icons_can_be_drawn(qtbot):
    assert {"play", "stop", "pause", "undo", "redo", "lock", "keys"} <= {*icon_names()}
    for name in icon_names():
        opacity = pixels(icon(name))[..., 3]
        assert 20 < (opacity > 128).sum() < 700, name


def test_icons_follow_the_theme_and_fade_when_disabled(qtbot):
    one = icon("stop")
    appearance = get_settings().appearance
    before, shown = appearance.theme, {}
    try:
        for theme in ("light", "dark"):
            appearance.theme = theme
            shown[theme] = pixels(one)[16, 16]
    finally:
        appearance.theme = before
    assert shown["light"][:3].max() < 100
    assert shown["dark"][:3].min() > 150
    assert pixels(one, QIcon.Mode.Disabled)[16, 16, 3] < 128


def test_icons_in_a_colour_of_ones_own(qtbot):
    assert pixels(icon("stop", QColor("#ff6a00")))[16, 16].tolist() == [
        255,
        106,
        0,
        255,
    ]


def test_unknown_icons_are_found_at_once():
    with pytest.raises(FileNotFoundError):
        icon("no-such-icon")

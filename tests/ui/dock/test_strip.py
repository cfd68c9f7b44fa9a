"""The timeline's dock was closed: it comes back by a button."""

import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QPushButton
from tests.ui.hand import unwrapped

from napari_sam2.ui.widgets.placing import placed


@pytest.mark.parametrize("by", ["QTitleBarCloseButton", "QTitleBarHideButton"])
def test_a_timeline_that_was_closed_comes_back_by_a_button(open_dock, qtbot, by):
    viewer, parts = open_dock()
    (dock,) = open_dock.docks
    window = unwrapped(viewer).window
    with qtbot.waitExposed(window._qt_window):
        window._qt_window.show()
    entries = [one.text() for one in window.window_menu.actions()]
    assert "SAM 2 timeline" in entries
    assert not dock.way_back.isVisible()
    cross = placed(dock.strip)[1].titleBarWidget().findChild(QPushButton, by)
    qtbot.mouseClick(cross, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(dock.way_back.isVisible)
    assert not dock.strip.isVisible()
    qtbot.mouseClick(dock.way_back, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not dock.way_back.isVisible())
    assert dock.strip.isVisible()
    assert parts.timeline_panel.timeline.isVisible()
    assert [one.text() for one in window.window_menu.actions()] == entries

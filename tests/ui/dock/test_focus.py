"""Where the keys go after somebody used the dock: real mouse, real keyboard."""

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QLineEdit
from tests.engine.engine_steps import click
from tests.ui.hand import Hand, unwrapped


def open_window(open_dock, qtbot):
    viewer, dock = open_dock()
    window = unwrapped(viewer).window._qt_window
    window.show()
    qtbot.waitExposed(window)
    window.activateWindow()
    window._qt_viewer.canvas.native.setFocus()
    return window, dock


def press_g(window):
    QTest.keyClick(QApplication.focusWidget() or window, Qt.Key.Key_G)


def test_deleting_by_button_leaves_the_keys_at_the_picture(open_dock, qtbot):
    window, dock = open_window(open_dock, qtbot)
    for object_id in (1, 2):
        dock.conductor.set_prompt(click(object_id, 0, (30, 40)))
    dock.selection.choose((1, 2))
    delete = dock.object_panel.buttons["delete"]
    qtbot.waitUntil(delete.isEnabled)
    qtbot.mouseClick(delete, Qt.MouseButton.LeftButton)
    assert dock.conductor.book.objects == ()
    qtbot.waitUntil(lambda: not delete.isEnabled())
    assert not isinstance(QApplication.focusWidget(), QLineEdit)
    before = dock.output_panel.folder
    press_g(window)
    assert dock.object_panel.search_edit.text() == ""
    assert dock.output_panel.folder == before


def test_a_folder_that_was_given_takes_no_more_keys(open_dock, qtbot, tmp_path):
    window, dock = open_window(open_dock, qtbot)
    edit = dock.output_panel.edit
    edit.setFocus()
    edit.setText(str(tmp_path / "other.zarr"))
    QTest.keyClick(edit, Qt.Key.Key_Return)
    assert dock.output_panel.folder == tmp_path / "other.zarr"
    press_g(window)
    assert dock.output_panel.folder == tmp_path / "other.zarr"


@pytest.mark.parametrize("kind", ["image", "labels", "points", "shapes"])
def test_keys_work_whatever_layer_is_selected(open_dock, stack, kind):
    viewer, dock = open_dock()
    others = {
        "image": lambda: viewer.layers["movie"],
        "labels": lambda: viewer.add_labels(np.zeros(stack.shape, int), name="cells"),
        "points": lambda: viewer.add_points(ndim=3, name="own"),
        "shapes": lambda: viewer.add_shapes(ndim=3, name="drawn"),
    }
    viewer.layers.selection.active = others[kind]()
    for object_id in (1, 2):
        dock.conductor.set_prompt(click(object_id, 0, (30, 40)))
    dock.selection.go_on_with(1)
    hand = Hand(viewer)
    hand.push(".")
    assert dock.selection.current == 2
    hand.push("K")
    assert dock.frame_cursor.frame_index in dock.conductor.book[2].locked


def test_keys_of_the_viewer_go_with_the_dock(open_dock):
    viewer, dock = open_dock()
    dock.close()
    assert not unwrapped(viewer).keymap

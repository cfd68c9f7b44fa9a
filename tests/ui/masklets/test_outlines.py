"""Masks as outlines or filled: a choice that is remembered."""

from qtpy.QtCore import Qt
from tests.engine.engine_steps import click

from napari_sam2.ui.masklets.layer import OPACITY, OUTLINE


def test_masks_are_outlines_if_one_wants_and_so_next_time(open_dock, answered, qtbot):
    _, dock = open_dock()
    dock.conductor.set_prompt(click(1, 0, (30, 40)))
    answered(dock)
    layer, button = dock.masklets.layer, dock.object_panel.outline_button
    assert (layer.contour, layer.opacity) == (0, OPACITY)
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert (layer.contour, layer.opacity) == (OUTLINE, 1.0)
    layer.opacity = 0.8
    dock.conductor.close()
    _, again = open_dock()
    assert again.object_panel.outline_button.isChecked()
    again.conductor.set_prompt(click(1, 0, (30, 40)))
    answered(again)
    assert again.masklets.layer.contour == OUTLINE
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert (layer.contour, layer.opacity) == (0, 0.8)  # the own opacity stays

"""The tool in a viewer, by napari's own event path."""

import time
from types import SimpleNamespace
from unittest.mock import MagicMock

import numpy as np
import pytest
from qtpy.QtCore import QObject, Qt
from qtpy.QtWidgets import QApplication
from tests.session.heard_book import HeardBook
from tests.ui.hand import Hand

from napari_sam2.engine.movie.axes import lay_out_layer
from napari_sam2.prompts import BoxPrompt, FramePrompt, MaskPrompt, PointPrompt
from napari_sam2.ui.keys.bindings import ToolKeys
from napari_sam2.ui.tool.labels_tool import LabelsTool
from napari_sam2.ui.tool.preview import NAME

SHAPE = (5, 60, 80)
AXES = lay_out_layer(SHAPE, ("t", "y", "x"), 0, {})


class Bench:
    """A labels layer, the tool on it, and a book that does what the tool asks."""

    def __init__(self, viewer, layer, axes=AXES):
        self.parent = QObject()
        self.viewer, self.layer = viewer, layer
        self.hand = Hand(viewer)
        self.keys = ToolKeys(self.parent)
        self.tool = LabelsTool(viewer, self.keys, self.parent)
        self.heard = MagicMock()
        tool = self.tool
        self.book = HeardBook(axes.frame_count, lambda _, after: tool.show_book(after))
        tool.prompt_requested.connect(self.book.set_prompt)
        for name in ("object_selected", "hover_requested", "told", "toggled"):
            getattr(tool, name).connect(getattr(self.heard, name))
        layer.mode = "paint"  # from then on napari keeps callbacks for modes
        layer.mode = "pan_zoom"
        self.found = snapshot(layer)
        tool.attach(layer, axes)

    def said(self, object_id, frame_index):
        return self.book.state[object_id].prompt_at(frame_index)


def snapshot(layer):
    return {
        "keys": dict(layer.keymap),
        "drag": list(layer.mouse_drag_callbacks),
        "move": list(layer.mouse_move_callbacks),
        "rest": (layer.mode, layer.mouse_pan, layer.cursor, layer.help),
    }


@pytest.fixture
def bench(make_napari_viewer_proxy):
    benches = []

    def made(data=None, axes=AXES, **options):
        viewer = make_napari_viewer_proxy()
        labels = np.zeros(SHAPE, np.uint16) if data is None else data
        layer = viewer.add_labels(labels, **options)
        benches.append(Bench(viewer, layer, axes))
        return benches[-1]

    yield made
    for one in benches:
        one.tool.close()
        one.keys.close()


def test_gestures_become_prompts(bench):
    labels = np.zeros(SHAPE, np.uint16)
    labels[2, 40:50, 40:50] = 7
    one = bench(labels)
    hand, tool = one.hand, one.tool
    hand.click(2, 5, 5)
    assert not one.book.state.objects  # it is off
    tool.action.trigger()
    assert tool.is_on
    assert not one.layer.mouse_pan
    # --- Clicks and a box on the object that there is, else on a new one
    hand.click(2, 10.25, 12.0)
    one.heard.object_selected.assert_called_once_with(1)
    hand.click(2, 20, 22, held=("Control",))
    hand.click(2, 30, 30, button=2)  # napari's zoom
    hand.click(2, 70, 30)  # outside
    hand.drag((2, 8.0, 9.0), (2, 29.5, 31.5))
    said = one.said(1, 2)
    assert said.points == (PointPrompt(10.25, 12), PointPrompt(20, 22, positive=False))
    assert said.box == BoxPrompt(8.5, 9.5, 29, 31)
    # --- napari's brush paints the object of the tool, and the other way round
    assert one.layer.selected_label == 1
    hand.click(2, 45, 45, held=("Alt",))
    one.heard.object_selected.assert_called_with(7)
    assert one.layer.selected_label == 7
    one.layer.selected_label = 3
    one.heard.object_selected.assert_called_with(3)
    hand.click(2, 5, 5, held=("Alt",))  # on the background
    tool.show_selected(1)
    assert one.layer.selected_label == 1
    # --- A mask that was drawn gives way, and this is told
    drawn = np.zeros(SHAPE[1:], bool)
    drawn[:9] = True
    one.book.set_prompt(FramePrompt(1, 4, mask=MaskPrompt(drawn)))
    hand.click(4, 10, 12)
    assert one.said(1, 4).mask is None
    assert "gave way" in one.heard.told.call_args.args[0]


def test_a_line_is_clicks_along_it(bench):
    one = bench()
    one.tool.set_on(True)
    one.hand.drag((2, 10, 12), (2, 10, 28), held=("Shift",))
    assert not one.viewer.layers[NAME].visible  # it was shown while it was drawn
    said = one.said(1, 2)
    assert [(point.y, point.x, point.positive) for point in said.points] == [
        (10, 16, True),
        (10, 24, True),
    ]
    one.hand.drag((2, 20, 12), (2, 20, 14), held=("Shift", "Control"))
    assert one.said(1, 2).points[-1] == PointPrompt(20, 13, False)


def test_what_it_takes_hold_of_is_given_back(bench):
    one = bench()
    hand, tool = one.hand, one.tool
    tool.set_on(True)
    hand.click(2, 10, 12)
    # --- Space moves the picture
    hand.push("Space")
    assert one.layer.mouse_pan
    hand.click(0, 10, 10)
    hand.let_go("Space")
    assert not one.layer.mouse_pan
    assert one.said(1, 0) is None
    # --- Another mode switches it off; napari's brush works
    one.layer.mode = "paint"
    assert not tool.is_on
    assert not tool.action.isChecked()
    assert one.layer.cursor == "circle"
    hand.click(0, 30, 30)
    assert one.layer.data[0, 30, 30] == 1
    assert one.said(1, 0) is None
    # --- By its key, and off again: as it was
    hand.push("W")
    assert (tool.is_on, one.layer.mode) == (True, "pan_zoom")
    hand.push("W")
    assert one.heard.toggled.call_args.args == (False,)
    tool.close()
    assert snapshot(one.layer) == one.found
    one.viewer.layers.remove(one.layer.name)


def test_keys_ask_on_our_layer_and_spare_napari_s_history(bench):
    one = bench()
    asked = MagicMock()
    names = {
        "N": "new_object",
        "T": "flip",
        "Delete": "remove",
        "K": "lock",
        "J": "doubtful",
        "Ctrl+Z": "undo",
        "Ctrl+Shift+Z": "redo",
    }
    for name in names.values():
        getattr(one.keys, f"{name}_requested").connect(getattr(asked, name))
    one.layer.data_setitem(np.nonzero(one.layer.data == 0), 4)
    for key, name in names.items():
        assert one.hand.push(key)
        getattr(asked, name).assert_called_once_with()
    assert (one.layer.data == 4).all()
    one.tool.detach()
    one.hand.push("Ctrl+Z")
    assert (one.layer.data == 0).all()
    asked.undo.assert_called_once_with()


def test_previews_follow_shift_and_late_ones_are_not_shown(bench, qtbot):
    one = bench()
    tool, hand, asked = one.tool, one.hand, one.heard.hover_requested
    tool.set_on(True)
    hand.click(1, 10, 10)
    hand.move(1, 20, 20, held=("Shift",))
    frame_index, prompt = asked.call_args.args
    assert (frame_index, len(prompt.points)) == (1, 2)
    # As fast as hands are, there are at most twenty previews a second; the last counts.
    began = time.monotonic()
    for x in range(21, 41):
        hand.move(1, 20, x, held=("Shift", "Control"))
    assert asked.call_count <= 3 + 20 * (time.monotonic() - began)
    qtbot.waitUntil(
        lambda: asked.call_args.args[1].points[-1] == PointPrompt(20, 40, False)
    )
    assert len(one.said(1, 1).points) == 1  # nothing was said
    mask = np.zeros(SHAPE[1:], bool)
    mask[20:30, 20:30] = True
    tool.show_hover(1, 1, mask)
    (shown,) = (layer for layer in one.viewer.layers if "preview" in layer.name)
    assert shown.visible
    np.testing.assert_array_equal(np.asarray(shown.data[1]), mask)
    assert not np.asarray(shown.data[0]).any()
    assert one.viewer.layers.selection.active.name == one.layer.name
    hand.move(1, 20, 41)
    assert asked.call_args.args == (1, None)
    assert not shown.visible
    tool.show_hover(1, 1, mask)  # too late
    assert not shown.visible
    # The key alone is enough, where the pointer rests.
    hand.push("Shift")
    assert asked.call_args.args[1].points[-1] == PointPrompt(20, 41)
    hand.let_go("Shift")
    assert asked.call_args.args == (1, None)


def test_the_last_preview_comes_although_timers_are_early(bench, qtbot, monkeypatch):
    began, clock = time.monotonic(), time.monotonic
    slow = SimpleNamespace(monotonic=lambda: began + 0.8 * (clock() - began))
    monkeypatch.setattr("napari_sam2.ui.tool.labels_tool.time", slow)
    one = bench()
    one.tool.set_on(True)
    asked = one.heard.hover_requested
    one.hand.move(1, 20, 20, held=("Shift",))
    one.hand.move(1, 20, 30, held=("Shift",))
    qtbot.waitUntil(lambda: asked.call_args.args[1].points[-1] == PointPrompt(20, 30))


def test_a_box_is_seen_while_it_is_drawn(bench):
    one = bench()
    one.tool.set_on(True)
    one.hand.press(1, 4.5, 4.5)
    one.hand.move(1, 14.5, 24.5, is_dragging=True)
    (shown,) = (layer for layer in one.viewer.layers if "preview" in layer.name)
    assert shown.visible
    assert np.asarray(shown.data[1]).sum() == 10 * 20
    one.hand.release(1, 14.5, 24.5)
    assert not shown.visible
    one.tool.set_on(False)
    one.tool.close()
    assert [layer.name for layer in one.viewer.layers] == [one.layer.name]


def test_it_works_where_the_layer_lies_and_in_2d_only(bench):
    """Depth and frames in another order, scaled and moved; two axes of the canvas."""
    shape = (3, 5, 60, 80)
    axes = lay_out_layer(shape, ("z", "t", "y", "x"), 1, {0: 2})
    labels = np.zeros(shape, np.uint16)
    scale, translate = (4, 1, 0.5, 0.5), (100, 0, 10, -20)
    one = bench(labels, axes, scale=scale, translate=translate)

    def world(z, t, y, x):
        place = np.array((z, t, y, x))
        return tuple((place * scale + translate).tolist())

    one.viewer.dims.order = (0, 1, 3, 2)
    one.tool.set_on(True)
    one.hand.click(*world(2, 3, 11, 12))
    one.hand.click(*world(1, 3, 11, 12))  # another plane
    one.hand.drag(world(2, 3, 5.5, 6.5), world(2, 3, 20.5, 30.5))
    assert one.said(1, 3).points == (PointPrompt(11, 12),)
    assert one.said(1, 3).box == BoxPrompt(6, 7, 20, 30)
    one.viewer.dims.order = (2, 3, 0, 1)
    assert not one.tool.is_on
    assert "rows and columns" in one.heard.told.call_args.args[0]
    one.tool.set_on(True)
    assert not one.tool.is_on
    one.viewer.dims.order = (0, 1, 2, 3)
    one.tool.set_on(True)
    one.viewer.dims.ndisplay = 3
    assert not one.tool.is_on
    assert not one.tool.action.isChecked()


def test_a_real_mouse_clicks_and_does_not_move_the_picture(bench, qtbot):
    one = bench()
    one.tool.set_on(True)
    (canvas,) = (
        widget
        for widget in QApplication.allWidgets()
        if "CanvasBackend" in type(widget).__name__
    )
    camera = one.viewer.scene.camera
    before = tuple(camera.center)
    middle = canvas.rect().center()
    qtbot.mouseClick(
        canvas, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.ControlModifier, middle
    )
    (point,) = one.said(1, one.viewer.dims.current_step[0]).points
    assert not point.positive
    assert (point.y, point.x) == one.viewer.cursor.position[-2:]
    qtbot.mousePress(canvas, Qt.MouseButton.LeftButton, pos=middle)
    qtbot.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=middle + middle / 4)
    assert tuple(camera.center) == before

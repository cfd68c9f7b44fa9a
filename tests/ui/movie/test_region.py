"""Which part of the frames is looked at, chosen by hand."""

import numpy as np
import pytest
from tests.engine.engine_steps import click
from tests.ui.hand import Hand, unwrapped

from napari_sam2.ui.movie.region import RECTANGLE, SHOWN, WHOLE


def take(button, title):
    """Choose an entry of the button's menu."""
    menu = button.menu()
    menu.aboutToShow.emit()
    (action,) = [one for one in menu.actions() if one.text() == title]
    action.trigger()


@pytest.mark.parametrize("scale", [(1, 1, 1), (1, 0.5, 0.5)])
def test_a_rectangle_is_the_region_that_is_tracked_in(
    open_dock, answered, stack, scale
):
    viewer, dock = open_dock(scale=scale)
    y0, x0, y1, x1 = np.array((10, 30, 74, 78)) * scale[1] - scale[1] / 2
    viewer.add_shapes(
        [[(y0, x0), (y0, x1), (y1, x1), (y1, x0)]], shape_type="rectangle", name="here"
    )
    panel = dock.input_panel
    take(panel.region, RECTANGLE.format("here"))
    assert panel.region.region == (10, 30, 64, 48)
    assert panel.region.text() == "64 × 48 from row 10, column 30"
    dock.tool.set_on(True)
    viewer.dims.set_point(0, 0)
    hand = Hand(viewer)
    hand.click(0, 5 * scale[1], 5 * scale[2])  # beside it
    assert not dock.conductor.book.objects
    hand.click(0, 40 * scale[1], 50 * scale[2])
    answered(dock)
    hand.push("G")
    answered(dock)
    last = np.array(dock.masklets.layer.data[11])
    assert last.shape == stack.shape[1:]
    assert last.any()
    last[10:74, 30:78] = 0
    assert not last.any()
    take(panel.region, WHOLE)
    assert not dock.conductor.book.objects
    hand.click(0, 5 * scale[1], 5 * scale[2])
    answered(dock)
    assert dock.status.text().startswith(("Object 1 is there", "Nothing found"))
    take(panel.region, RECTANGLE.format("here"))
    assert dock.conductor.book[1].prompts[0].points[0].y == 40


def test_what_is_shown_is_the_region_and_comes_back_with_the_session(
    open_dock, answered, qtbot
):
    viewer, dock = open_dock()
    window = unwrapped(viewer).window._qt_window
    with qtbot.waitExposed(window):
        window.show()
    viewer.scene.camera.center = (0, 48, 56)
    viewer.scene.camera.zoom = viewer.scene.camera.zoom * 4
    layer = viewer.layers["movie"]
    qtbot.waitUntil(lambda: layer.corner_pixels[0, -1] > 0)
    region = dock.input_panel.region
    take(region, SHOWN)
    y, x, height, width = region.region
    assert 0 < y < 48 < y + height < 96
    assert 0 < x < 56 < x + width < 112
    dock.conductor.set_prompt(click(1, 0, (48, 56)))
    answered(dock)
    dock.conductor.save()
    answered(dock)
    chosen, folder = region.region, dock.output_panel.folder
    dock.conductor.close()
    _, again = open_dock()
    assert again.input_panel.region.region is None
    again.conductor.open_session(folder)
    answered(again)
    assert again.input_panel.region.region == chosen
    assert again.output_panel.folder == folder
    assert [one.object_id for one in again.conductor.book.objects] == [1]
    again.run_bar.track_button.click()
    answered(again)
    assert not again.conductor.book[1].stale


def test_a_rectangle_beside_the_frames_is_refused(open_dock):
    viewer, dock = open_dock()
    viewer.add_shapes(
        [[(200, 200), (200, 240), (240, 240), (240, 200)]], shape_type="rectangle"
    )
    take(dock.input_panel.region, RECTANGLE.format("Shapes"))
    assert "beside the frames" in dock.status.text()
    assert dock.input_panel.region.region is None

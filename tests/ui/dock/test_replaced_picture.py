"""A layer is given another picture, as from a notebook: ``layer.data = …``."""

import numpy as np
import pytest
from tests.ui.hand import Hand

PLACE = (30, 40)


@pytest.fixture
def clicked(open_dock, answered, stack):
    """Return a viewer, its dock, and a hand, with a click on a movie of its own."""
    viewer, dock = open_dock(stack.copy())
    dock.tool.set_on(True)
    hand = Hand(viewer)
    hand.click(0, *PLACE)
    answered(dock)
    assert dock.conductor.book[1].prompts
    return viewer, dock, hand


def test_clicks_go_on_in_the_other_picture_and_masks_before_stay(
    clicked, answered, stack
):
    viewer, dock, hand = clicked
    before, labels = dock.output_panel.folder, viewer.layers["movie masklets"]
    mask = np.array(labels.data[0])
    assert mask.any()
    viewer.layers["movie"].data = stack[:, ::-1].copy()
    assert "another picture" in dock.status.text()
    assert before.name in dock.status.text()
    answered(dock)
    assert dock.output_panel.folder != before
    assert [one.object_id for one in dock.conductor.book.objects] == [1]
    hand.click(0, 70, 90)
    answered(dock)
    assert "⚠" not in dock.status.text()
    np.testing.assert_array_equal(labels.data[0], mask)
    assert dock.masklets.layer is not labels
    assert np.asarray(dock.masklets.layer.data[0]).any()


def test_a_picture_of_another_length_begins_without_clicks(clicked, answered, stack):
    viewer, dock, hand = clicked
    viewer.layers["movie"].data = stack[:4, :40, :50].copy()
    answered(dock)
    assert dock.conductor.book.objects == ()
    assert dock.track_panel.range_row.frames.stop == 4
    hand.click(0, 20, 20)
    answered(dock)
    assert "⚠" not in dock.status.text()
    assert dock.masklets.layer.data.shape == (4, 40, 50)


def test_tracking_stops_when_the_picture_is_replaced(clicked, answered, stack):
    viewer, dock, hand = clicked
    hand.push("G")
    assert dock.conductor.is_tracking
    viewer.layers["movie"].data = stack + 1
    answered(dock)
    assert not dock.conductor.is_tracking
    assert dock.run_bar.track_button.isEnabled()
    hand.push("G")
    answered(dock)
    assert np.asarray(dock.masklets.layer.data[-1]).shape == stack.shape[1:]


def test_the_same_picture_given_again_changes_nothing(clicked, answered):
    viewer, dock, _ = clicked
    before = dock.conductor.editor.shown
    viewer.layers["movie"].data = viewer.layers["movie"].data
    answered(dock)
    assert dock.conductor.editor.shown is before

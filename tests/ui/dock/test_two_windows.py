"""Two windows with the same movie: each has masklets of its own."""

import numpy as np
from tests.ui.hand import Hand


def begin(opened):
    viewer, dock = opened
    dock.frame_cursor.go_to(0)
    dock.tool.set_on(True)
    return Hand(viewer), dock


def test_a_folder_that_the_other_window_took_is_left_to_it(open_dock, answered):
    first, second = begin(open_dock()), begin(open_dock())
    taken = first[1].output_panel.folder
    assert second[1].output_panel.folder == taken  # nothing is written yet
    for hand, dock in (first, second):
        hand.click(0, 30, 40)
        hand.click(0, 70, 90)
        answered(dock)
    hand, dock = second
    assert "was taken by another window" in dock.status.text()
    assert first[1].output_panel.folder == taken
    assert dock.output_panel.folder.name == "movie-2.zarr"
    for _, one in (first, second):
        assert len(one.conductor.book.objects) == 2
        assert set(np.unique(one.masklets.layer.data[0])) > {0}
    np.testing.assert_array_equal(
        first[1].masklets.layer.data[0], second[1].masklets.layer.data[0]
    )

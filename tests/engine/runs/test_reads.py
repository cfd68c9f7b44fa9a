"""How often frames of the movie are read: once for each visit, never to delete."""

import numpy as np
import pytest
from tests.engine.engine_steps import Table, click, done_frames

from napari_sam2.io.sessions.document import SessionDocument
from napari_sam2.prompts import FramePrompt, MaskPrompt
from napari_sam2.session.planning.plan import Direction


class CountingArray:
    """A movie that remembers which frames were read."""

    def __init__(self, pixels):
        self.pixels, self.reads = pixels, []
        self.shape, self.dtype, self.ndim = pixels.shape, pixels.dtype, pixels.ndim

    def __getitem__(self, key):
        rows = range(len(self.pixels))[key[0] if isinstance(key, tuple) else key]
        self.reads += rows if isinstance(rows, range) else [rows]
        return self.pixels[key]


@pytest.fixture
def counted(stack):
    return CountingArray(stack)


@pytest.fixture
def table(request_for, counted):
    return Table(request_for(array=counted), len(counted.pixels))


def test_tracking_reads_each_frame_once(table, counted):
    table.say(click(1, 0, (30, 40)))
    document = SessionDocument(book=table.book.state)
    list(table.engine.save(table.request, document))  # knows the movie from now on
    counted.reads.clear()
    done = done_frames(table.track(direction=Direction.FORWARD))
    assert sorted(done) == list(range(1, 12))
    # The anchor is replayed on its frame.
    assert sorted(counted.reads) == [0, *done]
    assert np.isfinite(table.store.read_measurements("mean_intensity")).any()


def square(object_id, frame_index, corner):
    mask = np.zeros((96, 112), bool)
    mask[corner : corner + 10, 20:40] = True
    return FramePrompt(object_id, frame_index, mask=MaskPrompt(mask))


def test_deleting_an_object_that_touches_no_other_reads_no_frame(table, counted):
    table.say(*(square(1, frame, 10) for frame in range(12)))
    table.say(*(square(2, frame, 60) for frame in range(12)))
    means = table.store.read_measurements("mean_intensity")
    counted.reads.clear()
    table.follow(table.book.remove_objects([2]))
    assert counted.reads == []
    assert all((table.labels(frame) == 1).sum() == 200 for frame in range(12))
    assert not any((table.labels(frame) == 2).any() for frame in range(12))
    after = table.store.read_measurements("mean_intensity")
    np.testing.assert_array_equal(after[:, 0], means[:, 0])
    assert np.isnan(after[:, 1]).all()


def test_deleting_an_object_that_covers_another_measures_what_comes_to_light(
    table, counted
):
    table.say(square(1, 3, 10), square(2, 3, 12))  # the lower id lies above
    hidden = table.labels(3) == 2
    counted.reads.clear()
    table.follow(table.book.remove_objects([1]))
    uncovered = table.labels(3) == 2
    assert uncovered.sum() == 200 > hidden.sum()
    measured = table.store.read_measurements("mean_intensity")[3, 1]
    np.testing.assert_allclose(measured, counted.pixels[3][uncovered].mean(), rtol=1e-5)

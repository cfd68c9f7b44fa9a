"""Mean intensities of masks, in the movie's own units."""

import numpy as np
from tests.engine.engine_steps import click, of_kind

from napari_sam2.engine import Scored


def means(labels, image):
    return image[labels == 1].mean() if (labels == 1).any() else np.nan


def test_answers_and_tracked_frames_are_measured_in_the_units_of_the_movie(
    table, stack
):
    said = of_kind(Scored, table.say(click(1, 2, (30, 40))))
    shown = said[-1].row.values["intensity"][0]
    np.testing.assert_allclose(shown, means(table.labels(2), stack[2]), rtol=1e-5)
    table.track()
    stored = table.store.read_measurements("mean_intensity")[:, 0]
    expected = [means(table.labels(frame), stack[frame]) for frame in range(len(stack))]
    assert np.isfinite(expected).sum() > 5
    np.testing.assert_allclose(stored, expected, rtol=1e-5)

"""Movies whose stage jumps, drifts, and looks elsewhere."""

import numpy as np
import pytest

from napari_sam2.errors import InputError
from napari_sam2.synthetic import MovieConfig, SimulatedMovie
from napari_sam2.synthetic.staged import StagedMovie

FIELD = MovieConfig(frame_count=6, frame_shape=(64, 80), cell_count=6, cell_size=12)
WINDOW = (32, 48)


def test_the_window_moves_over_the_field():
    field = SimulatedMovie(FIELD)
    movie = StagedMovie(FIELD, WINDOW, jumps=((2, 5, -7), (4, -3, 0)))
    corners = {0: (16, 16), 1: (16, 16), 2: (11, 23), 3: (11, 23), 5: (14, 23)}
    for index, (y, x) in corners.items():
        window = np.s_[y : y + 32, x : x + 48]
        np.testing.assert_array_equal(movie.frame(index), field.frame(index)[window])
        np.testing.assert_array_equal(movie.labels(index), field.labels(index)[window])


def test_another_place_has_none_of_the_cells():
    movie = StagedMovie(FIELD, WINDOW, cuts=((1, 3),))
    assert movie.labels(0).any()
    assert not movie.labels(1).any()
    plain = StagedMovie(FIELD, WINDOW)
    assert (movie.frame(2) != plain.frame(2)).mean() > 0.5
    np.testing.assert_array_equal(movie.frame(3), plain.frame(3))


def test_what_is_covered_is_grey_and_nobody_is_seen_there():
    part = np.s_[8:20, 10:30]
    movie = StagedMovie(FIELD, WINDOW, covers=((2, 4, part),))
    plain = StagedMovie(FIELD, WINDOW)
    assert plain.labels(3)[part].any()
    assert not movie.labels(3)[part].any()
    assert np.ptp(movie.frame(3)[part]) == 0
    for index in (1, 4):
        np.testing.assert_array_equal(movie.frame(index), plain.frame(index))
        np.testing.assert_array_equal(movie.labels(index), plain.labels(index))


def test_a_window_that_leaves_the_field_is_refused():
    with pytest.raises(InputError, match="on frame 3 the window leaves the field"):
        StagedMovie(FIELD, WINDOW, jumps=((3, 40, 0),))

import dask.array as da
import numpy as np
import pytest

from napari_sam2.synthetic import PRESETS, SimulatedMovie
from napari_sam2.ui.contributions import sample_data


@pytest.mark.parametrize(
    ("sample", "preset"),
    [
        (sample_data.nuclei, "nuclei"),
        (sample_data.phase_contrast, "phase"),
        (sample_data.bacteria, "bacteria"),
    ],
)
def test_samples_are_lazy_movies_with_their_truth(sample, preset):
    (image, shown, kind), (truth, _, truth_kind) = sample()
    movie = SimulatedMovie(PRESETS[preset])
    assert (kind, truth_kind) == ("image", "labels")
    assert isinstance(image, da.Array)
    assert image.numblocks == (movie.frame_count, 1, 1)
    np.testing.assert_array_equal(image[7], movie.frame(7))
    np.testing.assert_array_equal(truth[7], movie.labels(7))
    low, high = shown["contrast_limits"]
    assert movie.frame(0).min() <= low < high <= movie.frame(0).max()


def test_movie_and_truth_have_one_scale_in_minutes_and_micrometers():
    (_, shown, _), (_, hidden, _) = sample_data.bacteria()
    for key in ("axis_labels", "scale", "units"):
        assert shown[key] == hidden[key]
    assert shown["scale"] == (2.0, 0.065, 0.065)
    assert shown["units"] == ("minute", "micrometer", "micrometer")
    assert shown["axis_labels"] == ("t", "y", "x")


def test_the_truth_is_hidden_at_first():
    _, (_, shown, _) = sample_data.nuclei()
    assert shown["visible"] is False

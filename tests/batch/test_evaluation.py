"""Scoring files: what does not fit is said in one line, before any frame is scored."""

import numpy as np
import pytest
import tifffile

from napari_sam2.batch.evaluation import EvaluationJob, run_evaluation
from napari_sam2.errors import InputError


@pytest.fixture
def files(tmp_path):
    """Three frames of truth, equal labels, and things that do not fit them."""
    truth = np.zeros((3, 20, 24), np.uint16)
    truth[:, 4:10, 4:10] = 5
    stacks = {
        "truth": truth,
        "one": truth[0],
        "two": truth[:2],
        "small": truth[0, :18],
        "float": truth.astype(np.float32),
    }
    for name, stack in stacks.items():
        tifffile.imwrite(tmp_path / f"{name}.tif", stack, photometric="minisblack")
    return tmp_path


def score(files, labels="truth", **options):
    job = EvaluationJob(
        labels=files / f"{labels}.tif", truth=files / "truth.tif", **options
    )
    return run_evaluation(job)


def test_equal_movies_score_one(files):
    assert score(files, match=files / "one.tif", match_frame=2).region == 1


def test_movies_of_unequal_length_are_refused(files):
    with pytest.raises(InputError, match="ends after 2 frames"):
        score(files, "two")


def test_labels_that_are_no_integers_are_refused(files):
    with pytest.raises(InputError, match="float32"):
        score(files, "float")


@pytest.mark.parametrize("frame", [-1, 3])
def test_a_match_frame_outside_the_movie_is_refused(files, frame):
    with pytest.raises(InputError, match="frames 0 to 2"):
        score(files, match=files / "one.tif", match_frame=frame)


@pytest.mark.parametrize(("name", "words"), [("small", "pixels"), ("two", "2 label")])
def test_a_match_of_another_movie_is_refused(files, name, words):
    with pytest.raises(InputError, match=words):
        score(files, match=files / f"{name}.tif")


@pytest.mark.parametrize("frames", [(2, 1), (0, 4), (-1, 2)])
def test_frames_outside_the_truth_are_refused(files, frames):
    with pytest.raises(InputError, match="has frames 0:3"):
        score(files, frames=frames)

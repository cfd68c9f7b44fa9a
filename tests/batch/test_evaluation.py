"""Scoring files: what does not fit is said in one line, before any frame is scored."""

import numpy as np
import pytest
import tifffile
import zarr
from PIL import Image

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
        "float": truth.astype(np.float32) / 2,
        "whole": truth.astype(np.float32),
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


def test_labels_as_whole_floats_are_labels(files):
    assert score(files, "whole").region == 1.0


def test_labels_that_are_numbered_otherwise_are_no_bad_ones(files):
    """As other programs' are: J 0 would say that nothing was tracked."""
    truth = tifffile.imread(files / "truth.tif")
    tifffile.imwrite(files / "other.tif", truth // 5 * 9, photometric="minisblack")
    with pytest.raises(InputError, match=r"none of the numbers .* --match"):
        score(files, "other")
    assert score(files, "other", match=files / "other.tif").region == 1.0
    tifffile.imwrite(files / "none.tif", truth * 0, photometric="minisblack")
    assert score(files, "none").region == 0.0, "nothing was tracked"


def test_void_of_the_truth_is_no_object_without_a_question(files):
    """As VOC and DAVIS mark the borders: its J would be part of the mean."""
    truth = tifffile.imread(files / "truth.tif")
    ids = np.unique(truth[truth > 0]).tolist()
    void = np.where(np.roll(truth, 1, axis=2) > truth, 255, truth)
    plain = {"photometric": "minisblack"}
    tifffile.imwrite(files / "void.tif", void.astype(np.uint8), **plain)
    job = EvaluationJob(labels=files / "truth.tif", truth=files / "void.tif")
    with pytest.raises(InputError, match="VOC and DAVIS: say whom to score"):
        run_evaluation(job)
    chosen = run_evaluation(job.model_copy(update={"objects": tuple(ids)}))
    assert len(chosen.objects) == len(ids)
    tifffile.imwrite(files / "void.tif", void.astype(np.uint16), **plain)
    assert len(run_evaluation(job).objects) == len(ids) + 1, "a number like others"


@pytest.mark.parametrize("frame", [-1, 3])
def test_a_match_frame_outside_the_movie_is_refused(files, frame):
    with pytest.raises(InputError, match="frames 0 to 2"):
        score(files, match=files / "one.tif", match_frame=frame)


@pytest.mark.parametrize(("name", "words"), [("small", "pixels"), ("two", "2 label")])
def test_a_match_of_another_movie_is_refused(files, name, words):
    with pytest.raises(InputError, match=words):
        score(files, match=files / f"{name}.tif")


@pytest.mark.parametrize("overlap", [-1.0, 0.0, 1.5, float("nan")])
def test_an_overlap_that_is_none_is_refused(files, overlap):
    with pytest.raises(InputError, match="an IoU is above 0, at most 1"):
        score(files, match=files / "truth.tif", minimum_overlap=overlap)


@pytest.mark.parametrize("frames", [(2, 1), (0, 4), (-1, 2)])
def test_frames_outside_the_truth_are_refused(files, frames):
    with pytest.raises(InputError, match="has frames 0:3"):
        score(files, frames=frames)


COLORS = np.array([[0, 0, 0], [200, 0, 0], [0, 90, 9]], np.uint8)


@pytest.fixture
def colored(files):
    """Truth of two objects in colour, and masklets that have numbers."""
    labels = np.zeros((3, 20, 24), np.uint8)
    labels[:, 4:10, 4:10], labels[:, 12:18, 12:20] = 1, 2
    tifffile.imwrite(files / "numbers.tif", labels, photometric="minisblack")
    tifffile.imwrite(files / "first.tif", labels[0], photometric="minisblack")
    for kind in ("colors", "indices"):
        (files / kind).mkdir()
        for frame, image in enumerate(labels):
            if kind == "indices":
                picture = Image.fromarray(image, mode="P")
                picture.putpalette(COLORS.ravel().tolist())
            else:
                picture = Image.fromarray(COLORS[image])
            picture.save(files / kind / f"{frame:05d}.png")
    return files


def test_indices_of_the_truth_are_ids(colored):
    job = EvaluationJob(labels=colored / "numbers.tif", truth=colored / "indices")
    score = run_evaluation(job)
    assert score.region == 1
    assert [one.object_id for one in score.objects] == [1, 2]


def test_colors_of_the_truth_are_paired_by_place(colored):
    job = EvaluationJob(labels=colored / "numbers.tif", truth=colored / "colors")
    with pytest.raises(InputError, match=r"colors is in colour.*--match"):
        run_evaluation(job)
    paired = job.model_copy(update={"match": colored / "first.tif"})
    score = run_evaluation(paired)
    assert score.region == 1
    assert [one.predicted_id for one in score.objects] in ([1, 2], [2, 1])


def test_colors_on_both_sides_are_compared(colored):
    job = EvaluationJob(labels=colored / "colors", truth=colored / "colors")
    assert run_evaluation(job).region == 1


def test_background_of_minus_one_is_none(files):
    truth = tifffile.imread(files / "truth.tif").astype(np.int16)
    tifffile.imwrite(
        files / "signed.tif", np.where(truth == 0, -1, truth), photometric="minisblack"
    )
    assert score(files, "signed").region == 1


def test_a_plane_of_the_truth_is_scored(files):
    truth = tifffile.imread(files / "truth.tif")
    volume = np.zeros((3, 4, 20, 24), np.uint16)
    volume[:, 2] = truth
    tifffile.imwrite(files / "volume.ome.tif", volume, metadata={"axes": "TZYX"})
    job = EvaluationJob(labels=files / "truth.tif", truth=files / "volume.ome.tif")
    with pytest.raises(InputError, match="4 z planes") as raised:
        run_evaluation(job)
    assert raised.value.settings == ("z",)
    assert run_evaluation(job.model_copy(update={"truth_z": 2})).region == 1


def test_an_image_beside_labels_of_another_name_is_no_truth(files):
    """Its intensities would be ids."""
    group = zarr.open_group(files / "a.zarr", mode="w")
    group.attrs["ome"] = {
        "version": "0.5",
        "multiscales": [{"axes": [*"tyx"], "datasets": [{"path": "0"}]}],
    }
    group.create_array("0", data=np.full((3, 20, 24), 5, np.uint16))
    group.create_group("labels/cells").create_array("0", data=np.zeros((3, 20, 24)))
    job = EvaluationJob(labels=files / "truth.tif", truth=files / "a.zarr")
    with pytest.raises(InputError, match="no labels named 'masklets'; it holds cells"):
        run_evaluation(job)

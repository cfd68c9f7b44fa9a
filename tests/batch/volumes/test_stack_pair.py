"""Stacks over time scored against a truth in space and time."""

import numpy as np
import pytest
import tifffile

from napari_sam2.batch.evaluation import EvaluationJob, run_evaluation
from napari_sam2.errors import InputError
from napari_sam2.interfaces import Calibration
from napari_sam2.io.label_store.volume import VolumeLabels, VolumeSpec
from napari_sam2.io.ome_zarr.volume_axes import PlaneAxis

SHAPE = (3, 4, 12, 16)


@pytest.fixture
def job(tmp_path):
    """A truth with body 5; labels call it 2, and miss its last plane on frame 1."""
    truth = np.zeros(SHAPE, np.uint16)
    truth[:, 1:3, 2:8, 2:8] = 5
    labels = np.where(truth == 5, 2, 0).astype(np.uint16)
    labels[1, 2] = 0
    files = {"truth": truth, "stack": truth[0], "first": labels[0]}
    files["thin"] = truth[:, :2]
    for name, array in files.items():
        axes = "TZYX"[-array.ndim :]
        path = tmp_path / f"{name}.ome.tif"
        tifffile.imwrite(path, array, metadata={"axes": axes}, photometric="minisblack")
    spec = VolumeSpec("masklets", SHAPE, (), Calibration(), PlaneAxis(SHAPE[1]))
    store = VolumeLabels.create(tmp_path / "x.zarr", spec)
    for frame in range(SHAPE[0]):
        store.write(frame, labels[frame])
    store.close()
    return EvaluationJob(
        labels=tmp_path / "x.zarr",
        truth=tmp_path / "truth.ome.tif",
        match=tmp_path / "first.ome.tif",
    )


def changed(job, **changes):
    return job.model_copy(update=changes)


def test_regions_are_those_of_volumes(job):
    (body,) = run_evaluation(job).objects
    assert (body.object_id, body.predicted_id) == (5, 2)
    assert body.region_by_frame == (1, 0.5, 1)
    assert body.boundary is None
    assert run_evaluation(changed(job, match=job.labels)).objects == (body,)
    assert run_evaluation(changed(job, frames=(1, 2))).region == 0.5
    assert run_evaluation(changed(job, match=None)).region == 0
    assert run_evaluation(changed(job, truth=job.labels, match=None)).region == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"truth": "stack.ome.tif"}, "holds one stack, but the movie has 3"),
        ({"truth": "thin.ome.tif"}, r"but the movie \(3, 4, 12, 16\)"),
        ({"truth_z": 1}, "--z chooses a part of the truth"),
        ({"match_frame": 3}, "frames 0 to 2"),
        ({"frames": (2, 4)}, "has frames 0:3"),
    ],
)
def test_what_does_not_fit_is_refused(job, change, words):
    if "truth" in change:
        change = {"truth": job.truth.parent / change["truth"]}
    with pytest.raises(InputError, match=words):
        run_evaluation(changed(job, **change))

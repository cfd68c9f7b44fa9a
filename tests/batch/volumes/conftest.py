"""A small movie of stacks on disk, and jobs on it with a toy network."""

import json
import shutil

import numpy as np
import pytest

from napari_sam2.batch.job import ModelOptions, TrackJob
from napari_sam2.batch.movie_files import write_volume_tiffs, write_volume_zarr
from napari_sam2.batch.volumes.run import open_job
from napari_sam2.session.planning.plan import Mode
from napari_sam2.synthetic import MovieConfig, SimulatedVolume
from napari_sam2.synthetic.clicks import clicks_inside

FRAMES, PLANES, SIDE = 4, 4, 48


@pytest.fixture(scope="session")
def volume():
    return SimulatedVolume(
        MovieConfig(
            frame_count=FRAMES,
            frame_shape=(SIDE, SIDE),
            cell_count=2,
            cell_size=20,
            division_rate=0,
            open_border=False,
            seed=5,
        ),
        PLANES,
    )


@pytest.fixture(scope="session")
def truth(volume):
    """``(T, Z, Y, X)``."""
    return np.array(
        [[volume.labels(t, z) for z in range(PLANES)] for t in range(FRAMES)]
    )


@pytest.fixture(scope="session")
def folder(volume, truth, tmp_path_factory):
    """``movie.zarr``, ``sim/truth.tif`` and ``clicks.json``: a click an object."""
    folder = tmp_path_factory.mktemp("stacks")
    write_volume_zarr(volume, folder / "movie.zarr")
    write_volume_tiffs(volume, folder / "sim")
    objects = []
    for one in range(1, truth.max() + 1):
        plane = int((truth[1] == one).sum((1, 2)).argmax())
        click = clicks_inside(np.where(truth[1, plane] == one, one, 0))[one]
        prompt = {"frame": 1, "z": plane, "points": [list(click)]}
        objects.append({"id": one, "name": f"cell {one}", "prompts": [prompt]})
    document = {"version": 1, "objects": objects}
    (folder / "clicks.json").write_text(json.dumps(document))
    return folder


def job_in(folder, toy, out):
    return TrackJob(
        movie=folder / "sim" / "movie.tif",
        prompts=folder / "clicks.json",
        out=out / "out.zarr",
        model_options=ModelOptions(model=str(toy), device="cpu"),
        mode=Mode.TZYX,
    )


@pytest.fixture
def volume_job(folder, toy, tmp_path):
    return job_in(folder, toy, tmp_path)


@pytest.fixture(scope="session")
def tracked(folder, toy, tmp_path_factory):
    """Where a job like `volume_job` was run to its end, and what its steps said."""
    job = job_in(folder, toy, tmp_path_factory.mktemp("tracked"))
    with open_job(job) as opened:
        assert "4 stacks of 4 planes" in opened.reading
        steps = [(one.position, one.total) for one in opened.frames()]
    return job.out, steps


@pytest.fixture
def tracked_job(volume_job, tracked):
    """A job that was run to its end."""
    shutil.copytree(tracked[0], volume_job.out)
    return volume_job

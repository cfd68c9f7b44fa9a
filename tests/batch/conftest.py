"""A small movie on disk, prompts for it, and a toy network with random weights."""

import shutil

import pytest
import tifffile

from napari_sam2.batch.job import ModelOptions, TrackJob
from napari_sam2.synthetic import MovieConfig, SimulatedMovie

FRAMES = 100


def cells(frame_count):
    """Return a movie of three cells that do not divide."""
    return SimulatedMovie(
        MovieConfig(
            frame_count=frame_count,
            frame_shape=(64, 80),
            cell_count=3,
            cell_size=18,
            division_rate=0,
            seed=5,
        )
    )


@pytest.fixture(scope="session")
def movie():
    return cells(FRAMES)


@pytest.fixture(scope="session")
def toy(tmp_path_factory):
    """Path of a toy network with random weights."""
    from napari_sam2.model.checkpoints.checkpoint import save_model

    path = tmp_path_factory.mktemp("toy") / "toy.safetensors"
    save_model(_toy_that_sees(), path)
    return path


@pytest.fixture(scope="session")
def files(movie, toy, tmp_path_factory):
    """A folder with ``movie.tif``, ``prompts.tif`` (labels of frame 0) and weights."""
    return write_files(movie, toy, tmp_path_factory.mktemp("job"))


def write_files(movie, toy, folder):
    with tifffile.TiffWriter(folder / "movie.tif") as writer:
        for index in range(movie.frame_count):
            writer.write(movie.frame(index), contiguous=True)
    tifffile.imwrite(folder / "prompts.tif", movie.labels(0))
    shutil.copy(toy, folder)
    return folder


def _toy_that_sees():
    """Random weights, but masks that are neither full nor empty nor absent."""
    import torch

    from napari_sam2.model.checkpoints.checkpoint import build_model

    model = build_model("toy", seed=3)
    with torch.no_grad():
        model.mask_decoder.pred_obj_score_head.layers[-1].bias.fill_(2.0)
        for mlp in model.mask_decoder.output_hypernetworks_mlps:
            mlp.layers[-1].weight.mul_(20.0)
    return model


@pytest.fixture
def job(files, tmp_path):
    return TrackJob(
        movie=files / "movie.tif",
        prompts=files / "prompts.tif",
        out=tmp_path / "out.zarr",
        model_options=ModelOptions(model=str(files / "toy.safetensors"), device="cpu"),
    )

"""A small movie, and models to track in it. No window."""

from __future__ import annotations

import os

import numpy as np
import pytest
from tests.engine.engine_steps import Table, movie_input

from napari_sam2.engine import Request
from napari_sam2.synthetic import MovieConfig, SimulatedMovie

FRAMES = 12
TRAINED_MODEL = os.environ.get("NAPARI_SAM2_TEST_MODEL", "nano")
"""The bundled model, or the path of another one that can follow cells."""


@pytest.fixture(scope="session")
def movie():
    return SimulatedMovie(
        MovieConfig(
            frame_count=FRAMES,
            frame_shape=(96, 112),
            cell_count=3,
            cell_size=26,
            division_rate=0,
            overlap=0,
            open_border=False,
            seed=4,
        )
    )


@pytest.fixture(scope="session")
def stack(movie):
    """``(T, Y, X)`` uint16."""
    return np.stack([movie.frame(index) for index in range(FRAMES)])


@pytest.fixture(scope="session")
def toy(tmp_path_factory):
    """Path of a random toy network whose masks are neither full nor empty."""
    import torch

    from napari_sam2.model.checkpoints.checkpoint import build_model, save_model

    model = build_model("toy", seed=3)
    with torch.no_grad():
        model.mask_decoder.pred_obj_score_head.layers[-1].bias.fill_(2.0)
        for mlp in model.mask_decoder.output_hypernetworks_mlps:
            mlp.layers[-1].weight.mul_(20.0)
    path = tmp_path_factory.mktemp("models") / "toy.safetensors"
    save_model(model, path)
    return str(path)


@pytest.fixture(scope="session")
def trained():
    """Name or path of a model that was trained."""
    from napari_sam2.model.checkpoints.weights_file import weights_path

    weights_path(TRAINED_MODEL)  # fails here, and says why, if it is not there
    return TRAINED_MODEL


@pytest.fixture
def request_for(stack, toy, tmp_path):
    def make(folder="masklets.zarr", limits=(100.0, 3000.0), array=stack, model=toy):
        return Request(movie_input(array, limits), model, tmp_path / folder)

    return make


@pytest.fixture
def table(request_for, stack):
    return Table(request_for(), len(stack))


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """Give the tests a home folder of their own: masklets go below it."""
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    return tmp_path

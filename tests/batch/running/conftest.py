"""Shorter movies than those of single runs: there are several of them."""

import pytest
from tests.batch.conftest import write_files

from napari_sam2.synthetic import MovieConfig, SimulatedMovie


@pytest.fixture(scope="session")
def movie():
    return SimulatedMovie(
        MovieConfig(
            frame_count=12,
            frame_shape=(64, 80),
            cell_count=3,
            cell_size=18,
            division_rate=0,
            seed=5,
        )
    )


@pytest.fixture(scope="session")
def files(movie, toy, tmp_path_factory):
    """As for single runs; a fixture of theirs would keep this movie for them."""
    return write_files(movie, toy, tmp_path_factory.mktemp("short"))

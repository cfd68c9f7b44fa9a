"""Shorter movies than those of single runs: there are several of them."""

import pytest
from tests.batch.conftest import cells, write_files


@pytest.fixture(scope="session")
def movie():
    return cells(12)


@pytest.fixture(scope="session")
def files(movie, toy, tmp_path_factory):
    """As for single runs; a fixture of theirs would keep this movie for them."""
    return write_files(movie, toy, tmp_path_factory.mktemp("short"))

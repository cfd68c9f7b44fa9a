"""Movies with tracks in two stacks: parts, gaps, ragged outlines."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile

from napari_sam2.errors import InputError
from napari_sam2.io.training.sources import TrainingSource, read_source
from napari_sam2.io.training.tracks import PART, read_tracks_folder

LENGTH = 2 * PART + 5


@pytest.fixture
def folder(tmp_path):
    """Cell 1 is always there, 2 lacks one frame, 3 has a spur of one pixel's width."""
    tracks = np.zeros((LENGTH, 40, 60), np.uint16)
    tracks[:, 5:15, 5:15] = 1
    tracks[:, 5:15, 20:30] = 2
    tracks[PART + 3][tracks[PART + 3] == 2] = 0
    tracks[:, 20:32, 20:32] = 3
    tracks[:, 26, 32:45] = 3
    home = tmp_path / "cells"
    home.mkdir()
    tifffile.imwrite(home / "tracks.tif", tracks)
    movie = np.where(tracks > 0, 200, 20).astype(np.uint8)
    tifffile.imwrite(home / "movie.tif", movie)
    return home


def test_a_movie_comes_in_parts_of_what_lasts(folder):
    parts = list(read_tracks_folder(folder))
    assert [part.name for part in parts] == ["cells 0-23", "cells 24-47", "cells 48-52"]
    assert [sorted(np.unique(part.labels)) for part in parts] == [
        [0, 1, 2, 3],
        [0, 1, 3],
        [0, 1, 2, 3],
    ]
    assert not any(part.is_complete for part in parts)
    assert parts[0].frames.shape == (PART, 40, 60, 1)


def test_spurs_are_cut_off_and_nothing_else(folder):
    labels = next(read_tracks_folder(folder)).labels[0]
    spur = labels[26, 33:45]
    assert not (spur == 3).any()
    assert (labels == 1).sum() >= 100 - 4 * 3  # at most corners are rounded


def test_later_frames_are_left_for_tests(folder):
    parts = list(read_source(TrainingSource("tracks", folder, frames=PART + 2)))
    assert [part.name for part in parts] == ["cells 0-23", "cells 24-25"]
    short = list(read_tracks_folder(folder, PART + 1))
    assert [part.name for part in short] == ["cells 0-23"]  # one frame is no movie


def test_stacks_that_do_not_fit_are_refused(folder):
    tifffile.imwrite(folder / "tracks.tif", np.zeros((7, 40, 60), np.uint16))
    with pytest.raises(InputError, match=r"tracks.tif: has shape \(7, 40, 60\)"):
        next(read_tracks_folder(folder))
    (folder / "tracks.tif").unlink()
    with pytest.raises(InputError, match="cannot be read"):
        next(read_tracks_folder(folder))

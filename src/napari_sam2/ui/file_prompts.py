"""Prompts of a file, for the book. Reads files: to be called in the worker."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from napari_sam2.io.prompt_files import read_prompts
from napari_sam2.ui.layer_axes import LayerAxes
from napari_sam2.ui.prompt_intake import Intake, intake_of


def file_to_prompts(
    path: str | os.PathLike[str],
    axes: LayerAxes,
    *,
    frame_index: int,
    taken: Collection[int],
) -> Intake:
    """Read a prompts file, a CSV of points or a label image.

    Parameters
    ----------
    path
        The file; see `napari_sam2.io.prompt_files.read_prompts`.
    axes
        The movie.
    frame_index
        The frame of prompts that do not say theirs.
    taken
        Ids in use, instead of which objects get new ones; none, to say more about the
        objects that have these ids.

    Raises
    ------
    InputError
        If it cannot be read, or does not fit the movie.
    """
    objects = read_prompts(
        path,
        frame_shape=axes.frame_shape,
        frame_count=axes.frame_count,
        frame=frame_index,
    )
    return intake_of(objects, Path(path).name, taken)

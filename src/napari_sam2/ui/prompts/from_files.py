"""Prompts of a file, for the book, and back.

`file_to_prompts` and `SavedPrompts.write` touch files: to be called in the worker.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from napari_sam2.engine.movie.axes import LayerAxes
from napari_sam2.errors import InputError
from napari_sam2.io.prompts.files import mask_folder, read_prompts, write_prompts
from napari_sam2.prompts import PromptedObject
from napari_sam2.session.book.intake import Intake, intake_of
from napari_sam2.session.book.state import BookState


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
        The file; see `napari_sam2.io.prompts.files.read_prompts`.
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


def prompts_of(book: BookState) -> tuple[PromptedObject, ...]:
    """Return what a book says, for a file: prompted objects, and their mothers.

    Raises
    ------
    InputError
        If nobody prompted anything.
    """
    wanted: set[int] = set()
    for thing in book.objects:
        one: int | None = thing.object_id if thing.prompts else None
        while one is not None and one not in wanted:
            wanted.add(one)
            one = book[one].parent
    if not wanted:
        raise InputError(
            "There are no prompts to save: click on a cell, draw a box or a mask first"
        )
    return tuple(o.as_prompted() for o in book.objects if o.object_id in wanted)


@dataclass(frozen=True, slots=True, eq=False)
class SavedPrompts:
    """Prompts on their way into a file.

    Attributes
    ----------
    objects
        See `prompts_of`.
    path
        The JSON file; replaced if it is there.
    """

    objects: tuple[PromptedObject, ...]
    path: Path

    @property
    def masks(self) -> Path | None:
        """The folder of the masks beside the file; None if there are none."""
        prompts = (prompt for one in self.objects for prompt in one.prompts)
        has_masks = any(p.mask is not None and p.mask.mask.any() for p in prompts)
        return self.path.parent / mask_folder(self.path) if has_masks else None

    def write(self) -> None:
        """Write the file and its masks.

        Raises
        ------
        OutputError
            If they cannot be written.
        """
        write_prompts(self.path, self.objects)

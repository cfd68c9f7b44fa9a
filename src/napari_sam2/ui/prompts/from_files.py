"""Prompts of a file, for the book, and back.

`file_to_prompts` and `SavedPrompts.write` touch files: to be called in the worker.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from napari_sam2.engine.movie.axes import LayerAxes
from napari_sam2.errors import InputError, OutputError
from napari_sam2.io.prompts.files import mask_folder, read_prompts, write_prompts
from napari_sam2.prompts import PromptedObject
from napari_sam2.session.book.intake import Intake, intake_of
from napari_sam2.session.book.state import BookState
from napari_sam2.texts import counted
from napari_sam2.ui.widgets.panel import short_path

SUFFIX = ".json"
FILTER = f"Prompts (*{SUFFIX})"


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
    for state in book.objects:
        object_id: int | None = state.object_id if state.prompts else None
        while object_id is not None and object_id not in wanted:
            wanted.add(object_id)
            object_id = book[object_id].parent
    if not wanted:
        raise InputError(
            "There are no prompts to save: click on a cell, draw a box or a mask first"
        )
    return tuple(
        state.as_prompted() for state in book.objects if state.object_id in wanted
    )


def json_path(answer: str) -> Path:
    """Return the path that somebody chose, with the suffix of prompts files.

    Raises
    ------
    OutputError
        If a file lies at the path with the suffix, which nobody was asked about.
    """
    path = Path(answer)
    if path.suffix.lower() == SUFFIX:
        return path
    path = path.with_name(path.name + SUFFIX)
    if path.exists():
        raise OutputError(
            f"{path} exists: to replace it, choose it by its whole name, with {SUFFIX}"
        )
    return path


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
        prompts = (prompt for said in self.objects for prompt in said.prompts)
        has_masks = any(p.mask is not None and p.mask.mask.any() for p in prompts)
        return self.path.parent / mask_folder(self.path) if has_masks else None

    @property
    def sentence(self) -> str:
        """What was written, and where."""
        count = sum(bool(said.prompts) for said in self.objects)
        objects = counted(count, "object")
        text = f"The prompts of {objects} are saved to {short_path(self.path)}."
        if self.masks is not None:
            text += f" Masks lie in {self.masks.name} beside it: keep them together."
        return text

    def write(self) -> None:
        """Write the file and its masks.

        Raises
        ------
        OutputError
            If they cannot be written.
        """
        write_prompts(self.path, self.objects)

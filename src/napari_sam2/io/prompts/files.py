"""Prompts in files: our JSON, label images, napari's points and shapes."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from napari_sam2.errors import InputError, OutputError
from napari_sam2.io.movies.files.image_stacks import one_line, reading
from napari_sam2.io.prompts.bounds import PromptBounds
from napari_sam2.io.prompts.json_file import (
    PromptsDocument,
    document_of,
    read_json_prompts,
)
from napari_sam2.io.prompts.label_images import read_label_prompts
from napari_sam2.io.prompts.points_csv import point_prompts
from napari_sam2.io.prompts.shapes_csv import holds_shapes, shape_prompts
from napari_sam2.io.prompts.tables import read_table
from napari_sam2.paths import (
    read_text,
    refuse_taken,
    remote_url,
    replace_text,
    user_path,
)
from napari_sam2.prompts import PromptedObject


def read_prompts(
    path: str | os.PathLike[str],
    *,
    frame_shape: tuple[int, int],
    frame_count: int,
    frame: int = 0,
) -> list[PromptedObject]:
    """Read what a person said about the objects of a movie.

    Parameters
    ----------
    path
        A prompts file (``.json``), napari's points or shapes (``.csv``), or else a
        label image or a stack of them: TIFF, PNG, zarr, or a folder.
    frame_shape
        ``(Y, X)`` of the movie in pixels.
    frame_count
        Number of frames of the movie.
    frame
        Frame of prompts that do not say theirs: label images, and points without a
        frame. Of a stack of labels, only this frame is taken.

    Returns
    -------
    list[PromptedObject]
        In the order of the JSON file, otherwise by object id.

    Raises
    ------
    InputError
        Naming the file, the object, the frame and the field that is wrong.
    """
    path = user_path(path)
    with reading(path, "check its path and who may read it"):
        if remote_url(path) is None and not path.exists():
            raise InputError(f"{path} does not exist")
    bounds = PromptBounds(frame_shape, frame_count)
    suffix = path.suffix.lower()
    if suffix == ".json":
        return read_json_prompts(path, bounds=bounds)
    bounds.check_frame(frame, str(path))
    if suffix == ".csv":
        table = read_table(path)
        read = shape_prompts if holds_shapes(table) else point_prompts
        return read(table, frame=frame, bounds=bounds)
    return read_label_prompts(path, frame=frame, bounds=bounds)


def write_prompts(
    path: str | os.PathLike[str], objects: Sequence[PromptedObject]
) -> None:
    """Write prompts as JSON, and their masks as PNG into ``<name>-masks`` beside it.

    The JSON is put in place last and whole, so a reader never sees half of it.

    Raises
    ------
    OutputError
        If the files cannot be written.
    """
    path = user_path(path)
    put_document(path, *document_of(objects, mask_folder(path)))


def refuse_other_prompts(path: Path, *, overwrite: bool) -> None:
    """Refuse to write prompts, and their masks, where something else is.

    Raises
    ------
    OutputError
        If there are prompts that are to stay, or anything else.
    """
    if not overwrite:
        refuse_taken(
            path,
            "track what it holds without --auto, replace it with --overwrite, or name "
            "another --prompts",
        )
    if os.path.lexists(path) and not _is_document(path):
        raise OutputError(
            f"{path} is no prompts file of napari-sam2, and is not replaced: name "
            "another --prompts"
        )
    if not path.exists():
        folder = path.with_name(mask_folder(path))
        refuse_taken(folder, "masks of prompts go there; name another --prompts")


def _is_document(path: Path) -> bool:
    try:
        PromptsDocument.model_validate_json(read_text(path, "prompts"))
    except (InputError, ValueError):
        return False
    return True


def put_document(
    path: Path, document: PromptsDocument, masks: Mapping[str, np.ndarray]
) -> None:
    """Write a prompts file, and the masks that it names by relative paths, first.

    Raises
    ------
    OutputError
        If the files cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for name, mask in masks.items():
            file = path.parent / name
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(mask.astype(np.uint8) * 255).save(file)
        text = document.model_dump_json(exclude_none=True, indent=1)
        replace_text(path, f"{text}\n")
    except OSError as error:
        raise OutputError(
            f"{path}: the prompts cannot be written: {one_line(error)}"
        ) from error


def mask_folder(path: Path) -> str:
    """Return the name of the folder beside a prompts file that its masks go to."""
    return f"{path.stem}-masks"

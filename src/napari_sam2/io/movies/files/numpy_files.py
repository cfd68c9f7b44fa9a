"""Arrays in ``.npy`` files, mapped into memory. Pickles are programs: none is run."""

from __future__ import annotations

from pathlib import Path
from tokenize import TokenError  # numpy reads headers as Python's literals

import numpy as np

from napari_sam2.errors import InputError
from napari_sam2.io.movies.files.image_stacks import READ_FAILURES, ArrayStack, one_line

NPY_MAGIC, NPY_SUFFIX = b"\x93NUM", ".npy"
CELLPOSE = "_seg.npy"
CELLPOSE_MASKS = ("_cp_masks.tif", "_cp_masks.png")


def open_npy(path: Path) -> ArrayStack:
    """Open an array that numpy saved.

    Raises
    ------
    InputError
        If it is broken, or holds objects of Python instead of numbers.
    """
    if path.name.endswith(CELLPOSE):
        raise InputError(
            f"{path} is Cellpose's own file, a pickle, and a pickle is a program: it "
            f"is not read; give the masks, {_cellpose_masks(path)}"
        )
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (*READ_FAILURES, TokenError) as error:
        raise InputError(
            f"{path} cannot be read as an array of numbers: {one_line(error)}; it may "
            "be truncated: copy it again; a pickle is a program and is not read: save "
            "the images as TIFF"
        ) from error
    if not isinstance(array, np.ndarray):
        raise InputError(f"{path} is no single array; save the images as TIFF")
    return ArrayStack(array, name=str(path))


def _cellpose_masks(path: Path) -> str:
    """Name the masks that lie beside a file of Cellpose, or how they are saved."""
    stem = path.name.removesuffix(CELLPOSE)
    names = [path.with_name(f"{stem}{ending}") for ending in CELLPOSE_MASKS]
    there = [one.name for one in names if one.is_file()]
    if there:
        return f"which lie beside it in {there[0]}"
    return f"which Cellpose saves as {names[0].name} (Save masks as TIFF)"

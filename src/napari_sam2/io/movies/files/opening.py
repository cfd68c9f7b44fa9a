"""Any file or folder as an image stack: which of the readers it is for."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from napari_sam2.errors import InputError
from napari_sam2.io.movies.files.folder_stacks import (
    FolderStack,
    PictureStack,
    image_names,
)
from napari_sam2.io.movies.files.foreign.microscopes import (
    MICROSCOPE_SUFFIXES,
    open_microscope_file,
)
from napari_sam2.io.movies.files.foreign.video import VIDEO_SUFFIXES, VideoStack
from napari_sam2.io.movies.files.image_headers import PICTURE_MAGIC
from napari_sam2.io.movies.files.image_stacks import ArrayStack, ImageStack, reading
from napari_sam2.io.movies.files.images import (
    PICTURE_SUFFIXES,
    TIFF_MAGIC,
    TIFF_SUFFIXES,
    open_tiff,
)
from napari_sam2.io.movies.files.kinds import refuse_small_pictures, unknown_kind
from napari_sam2.io.movies.files.numpy_files import NPY_MAGIC, NPY_SUFFIX, open_npy
from napari_sam2.io.movies.files.tiff_axes import NDTIFF_INDEX
from napari_sam2.io.movies.files.tiff_stacks import COMPANION_SUFFIX, TiffStack
from napari_sam2.io.movies.files.zarr_stacks import is_zarr, open_zarr
from napari_sam2.paths import remote_url, user_path


def open_source(source: Any, *, name: str, files: str | None = None) -> ImageStack:
    """Open a path, as `open_stack`, or an array.

    Parameters
    ----------
    source
        See `napari_sam2.io.movies.frame_sources.open_frames`.
    name
        What errors call an array.
    files
        Of a folder, the pattern of the files to take as frames.
    """
    if isinstance(source, str | os.PathLike):
        return open_stack(source, files=files)
    return ArrayStack(source, name=name)


def open_stack(path: str | os.PathLike[str], *, files: str | None = None) -> ImageStack:
    """Open any supported file or folder, with all its axes.

    Parameters
    ----------
    files
        Of a folder, the pattern of the files to take as frames.

    Raises
    ------
    InputError
        If it does not exist, is of an unknown kind, or is broken.
    """
    path = user_path(path)
    if remote_url(path) is not None:
        return open_zarr(path)
    with reading(path, "give another path"):
        is_folder, is_file = path.is_dir(), path.is_file()
        if not is_folder and not path.exists():
            raise InputError(f"{path} does not exist")
    if is_folder and not is_zarr(path):
        return _open_folder(path, files)
    if files is not None:
        raise InputError(
            f"{path} is no folder of images, so none of its files can be named",
            settings=("files",),
        )
    if is_folder:
        return open_zarr(path)
    if not is_file:
        raise InputError(f"{path} is neither a file nor a folder")
    return _open_file(path)


def _open_folder(path: Path, files: str | None) -> ImageStack:
    """Open a folder of images, or of the files of an NDTiff recording."""
    if files is None and (path / NDTIFF_INDEX).is_file():
        recorded = [name for name in image_names(path) if "NDTiff" in name]
        if recorded:
            return TiffStack(path / min(recorded, key=len))
    return FolderStack(path, files)


def _open_file(path: Path) -> ImageStack:
    with reading(path), path.open("rb") as file:
        magic = file.read(8)
    suffix = path.suffix.lower()
    if magic.startswith(NPY_MAGIC) or suffix == NPY_SUFFIX:
        return open_npy(path)
    if magic[:4] in TIFF_MAGIC or path.name.lower().endswith(COMPANION_SUFFIX):
        refuse_small_pictures(path)
        return open_tiff(path)
    if magic.startswith(PICTURE_MAGIC) or suffix in PICTURE_SUFFIXES:
        return PictureStack(path)
    if suffix in TIFF_SUFFIXES:
        return TiffStack(path)  # says what is wrong
    if suffix in VIDEO_SUFFIXES:
        return VideoStack(path)
    if suffix in MICROSCOPE_SUFFIXES:
        return open_microscope_file(path)
    known = (*PICTURE_SUFFIXES, *VIDEO_SUFFIXES, *MICROSCOPE_SUFFIXES)
    raise unknown_kind(
        path,
        f"give a TIFF, a zarr folder, a folder of images, or one of {', '.join(known)}",
    )

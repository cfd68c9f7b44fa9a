"""A folder of images, one a frame, and a single image file."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from napari_sam2.errors import InputError
from napari_sam2.io.movies.calibration import AxisScale
from napari_sam2.io.movies.files.file_series import (
    FILES,
    arrange_files,
    series_as_listed,
)
from napari_sam2.io.movies.files.image_stacks import Index, read_pages, reading
from napari_sam2.io.movies.files.images import (
    PICTURE_SUFFIXES,
    TIFF_SUFFIXES,
    describe_image,
    is_tiff,
    open_tiff,
    read_image,
)

_PLACES = ("T", "Z", "C", "P")
FRAME_SUFFIXES = (*TIFF_SUFFIXES, *PICTURE_SUFFIXES)


class FolderStack:
    """Image files of a folder, each an image of a movie.

    What they are to each other is told by their names (`file_series`); a stack inside
    each of them must say what its axes are.

    Parameters
    ----------
    path
        The folder. Hidden files and files of other kinds are passed over.
    files
        A pattern such as ``"*_w1_*"``: the files of that name are the frames.

    Raises
    ------
    InputError
        If there is no image, the names do not say what the files are, or one differs
        in shape or dtype from the first.
    """

    def __init__(self, path: Path, files: str | None = None) -> None:
        self.name = str(path)
        names = image_names(path, files)
        series = (
            arrange_files(names, self.name)
            if files is None
            else series_as_listed(names)
        )
        self.axes_from = series.known_from
        self._lengths = series.shape
        self._files = [path / name for name in series.names]
        self._frame_shape, self.dtype, frame_axes = _describe(
            self._files[0], series.axes
        )
        self.axes = (*series.axes, *frame_axes)
        self.scales = _scales(self._files[0])
        for position, file in enumerate(self._files):
            self._check(position, *_describe(file, series.axes)[:2])

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        return (*self._lengths, *self._frame_shape)

    def chunk_starts(self, axis: int) -> Sequence[int]:
        """Return where files begin along an axis."""
        return range(self.shape[axis]) if axis < len(self._lengths) else (0,)

    def read(self, index: Index) -> np.ndarray:
        """Return the part that an index of integers and slices names."""
        return read_pages(index, self._lengths, self._read_file)

    def close(self) -> None:
        """Nothing is held open."""

    def _read_file(self, position: int) -> np.ndarray:
        image = read_image(self._files[position]).shown()
        self._check(position, image.shape, image.dtype)
        return image

    def _check(self, position: int, shape: tuple[int, ...], dtype: np.dtype) -> None:
        if shape != self._frame_shape or dtype != self.dtype:
            file = self._files[position].name
            raise InputError(
                f"{self.name}: frame {position} ({file}) is {shape} of {dtype}, but "
                f"frame 0 is {self._frame_shape} of {self.dtype}; all frames must have "
                "one shape and dtype"
            )


def image_names(path: Path, files: str | None = None) -> list[str]:
    """Return the names of the image files of a folder, hidden ones left out.

    Raises
    ------
    InputError
        If there is none, or the folder cannot be read.
    """
    with reading(path, "give a folder of images"):
        names = _names_in(path)
        below = [] if names else sorted(f.name for f in path.iterdir() if f.is_dir())
        filled = next((name for name in below if _names_in(path / name)), None)
    if not names:
        hint = f"; its folder {filled} holds some" if filled else ""
        raise InputError(
            f"{path} holds no images: frames are {', '.join(FRAME_SUFFIXES)} "
            f"files{hint}"
        )
    kept = names if files is None else fnmatch.filter(names, files)
    if not kept:
        raise InputError(
            f"{path}: no image is called {files}; the first is {sorted(names)[0]}",
            settings=FILES,
        )
    return kept


def _names_in(path: Path) -> list[str]:
    return [
        file.name
        for file in path.iterdir()
        if file.suffix.lower() in FRAME_SUFFIXES
        and file.name[0] != "."
        and not file.is_dir()
    ]


class PictureStack:
    """One image file (PNG, JPEG, BMP): a movie of a single frame."""

    axes_from = "its format"

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._pixels = read_image(path).shown()
        self.scales: Mapping[str, AxisScale] = {}

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        return self._pixels.shape

    @property
    def dtype(self) -> np.dtype:
        """Type of a pixel."""
        return self._pixels.dtype

    @property
    def axes(self) -> str:
        """``"YX"`` or ``"YXS"``."""
        return "YXS"[: self._pixels.ndim]

    def chunk_starts(self, axis: int) -> Sequence[int]:
        """Return where the image begins."""
        return (0,) if axis >= 0 else ()

    def read(self, index: Index) -> np.ndarray:
        """Return a part of the image."""
        return self._pixels[index]

    def close(self) -> None:
        """Nothing is held open."""


def _describe(
    file: Path, series_axes: str
) -> tuple[tuple[int, ...], np.dtype, Sequence[str]]:
    """Return shape, dtype and axes of an image, from its header."""
    if _is_tiff(file):
        stack = open_tiff(file)
        stack.close()
        inside = [letter for letter in stack.axes or () if letter not in "YXS"]
        if not all(
            letter in _PLACES and letter not in series_axes for letter in inside
        ):
            raise InputError(
                f"{file} holds a stack of shape {stack.shape}; a folder is read one "
                "frame a file: open the file itself"
            )
        return stack.shape, stack.dtype, stack.axes or ()
    shape, dtype = describe_image(file)
    return shape, dtype, tuple("YXS")[: len(shape)]


def _scales(file: Path) -> Mapping[str, AxisScale]:
    if not _is_tiff(file):
        return {}
    stack = open_tiff(file)
    stack.close()
    return stack.scales


def _is_tiff(file: Path) -> bool:
    with reading(file):
        return is_tiff(file)

"""A folder of images, one a frame, and a single image file."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from napari_sam2.errors import InputError
from napari_sam2.io.movies.calibration import AxisScale
from napari_sam2.io.movies.image_stacks import Index
from napari_sam2.io.movies.images import (
    PICTURE_SUFFIXES,
    TIFF_SUFFIXES,
    describe_image,
    read_image,
)
from napari_sam2.io.movies.tiff_stacks import TiffStack

FRAME_SUFFIXES = (*TIFF_SUFFIXES, *PICTURE_SUFFIXES)


class FolderStack:
    """Images of a folder in natural order (frame2 before frame10), one a frame.

    Parameters
    ----------
    path
        The folder. Hidden files and files of other kinds are passed over.

    Raises
    ------
    InputError
        If there is no image, or one differs in shape or dtype from the first.
    """

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self.axes_from = "the order of its files"
        self._files = sorted(
            (
                file
                for file in path.iterdir()
                if file.suffix.lower() in FRAME_SUFFIXES and file.name[0] != "."
            ),
            key=lambda file: natural_key(file.name),
        )
        if not self._files:
            raise InputError(
                f"{path} holds no images: frames are {', '.join(FRAME_SUFFIXES)} files"
            )
        self._frame_shape, self.dtype, self._frame_axes = _describe(self._files[0])
        self.scales = _scales(self._files[0])
        for frame_index, file in enumerate(self._files):
            self._check(frame_index, *_describe(file)[:2])

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        return (len(self._files), *self._frame_shape)

    @property
    def axes(self) -> str:
        """``"TYX"`` or ``"TYXS"``."""
        return f"T{self._frame_axes}"

    def chunk_starts(self, axis: int) -> Sequence[int]:
        """Return where files begin along an axis."""
        return range(self.shape[0]) if axis == 0 else (0,)

    def read(self, index: Index) -> np.ndarray:
        """Return the part that an index of integers and slices names."""
        over_files, in_file = index[0], index[1:]
        if not isinstance(over_files, slice):
            return self._read_file(over_files)[in_file]
        steps = range(*over_files.indices(len(self._files)))
        return np.stack([self._read_file(position)[in_file] for position in steps])

    def close(self) -> None:
        """Nothing is held open."""

    def _read_file(self, frame_index: int) -> np.ndarray:
        image = _shown(self._files[frame_index])
        self._check(frame_index, image.shape, image.dtype)
        return image

    def _check(self, frame_index: int, shape: tuple[int, ...], dtype: np.dtype) -> None:
        if shape != self._frame_shape or dtype != self.dtype:
            file = self._files[frame_index].name
            raise InputError(
                f"{self.name}: frame {frame_index} ({file}) is {shape} of {dtype}, but "
                f"frame 0 is {self._frame_shape} of {self.dtype}; all frames must have "
                "one shape and dtype"
            )


class PictureStack:
    """One image file (PNG, JPEG, BMP): a movie of a single frame."""

    axes_from = "its format"

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._pixels = _shown(path)
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


def natural_key(name: str) -> list[tuple[int, int, str]]:
    """Return a key that sorts numbers in names by value.

    >>> sorted(["f10", "f9", "f1"], key=natural_key)
    ['f1', 'f9', 'f10']
    """
    return [
        (0, int(part), part) if part.isdigit() else (1, 0, part.lower())
        for part in re.split(r"([0-9]+)", name)
    ]


def _describe(file: Path) -> tuple[tuple[int, ...], np.dtype, str]:
    """Return shape, dtype and axes of an image, from its header."""
    if file.suffix.lower() in TIFF_SUFFIXES:
        stack = TiffStack(file)
        stack.close()
        if len(stack.shape) - ("S" in stack.axes) != 2:
            raise InputError(
                f"{file} holds a stack of shape {stack.shape}; a folder is read one "
                "frame a file: open the file itself"
            )
        return stack.shape, stack.dtype, "".join(stack.axes)
    shape, dtype = describe_image(file)
    return shape, dtype, "YXS"[: len(shape)]


def _scales(file: Path) -> Mapping[str, AxisScale]:
    if file.suffix.lower() not in TIFF_SUFFIXES:
        return {}
    stack = TiffStack(file)
    stack.close()
    return stack.scales


def _shown(file: Path) -> np.ndarray:
    if file.suffix.lower() in TIFF_SUFFIXES:
        return read_image(file).pixels
    return read_image(file).shown()

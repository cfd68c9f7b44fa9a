"""Label images on disk: one number a pixel, as it was stored.

The one door for them all: prompts, masks, the truth of an evaluation. Indices are
numbers here and no colours. What may differ from what was saved (JPEG) is refused, and
so is every pickle.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from napari_sam2.errors import InputError
from napari_sam2.io.movies.calibration import AxisScale
from napari_sam2.io.movies.files.file_series import natural_key
from napari_sam2.io.movies.files.folder_stacks import FRAME_SUFFIXES
from napari_sam2.io.movies.files.image_headers import BMP_MAGIC, JPEG_MAGIC, PNG_MAGIC
from napari_sam2.io.movies.files.image_stacks import ImageStack, Index
from napari_sam2.io.movies.files.images import TIFF_MAGIC, read_image
from napari_sam2.io.movies.files.numpy_files import NPY_MAGIC, NPY_SUFFIX, open_npy
from napari_sam2.io.movies.files.tiff_stacks import TiffStack
from napari_sam2.io.movies.files.zarr_stacks import is_zarr, open_zarr
from napari_sam2.paths import user_path

PICTURES = (PNG_MAGIC[:4], JPEG_MAGIC, BMP_MAGIC)

NO_LABEL = -1
"""Background beside 0: ilastik, scikit-image's and others' word for "nothing"."""

COLOR = 1 << 62
"""Ids of colours begin here, where no grey value lies."""


class LabelFiles:
    """Image files of labels, one a frame, as an `ImageStack`.

    Parameters
    ----------
    files
        In the order of frames.
    name
        What errors call them.
    has_frames
        False for a single image without a frame axis.
    """

    def __init__(self, files: list[Path], name: str, *, has_frames: bool) -> None:
        self.name = name
        self._files = files
        self._has_frames = has_frames
        first = _stored(files[0])
        self._frame_shape = first.shape
        self.dtype = first.dtype
        self.scales: Mapping[str, AxisScale] = {}

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        frames = (len(self._files),) if self._has_frames else ()
        return (*frames, *self._frame_shape)

    @property
    def axes_from(self) -> str:
        """By what the axes are known."""
        return "the order of its files"

    @property
    def axes(self) -> str:
        """``"YX"``, ``"YXS"`` in colour; ``T`` before them for a folder."""
        return ("T" if self._has_frames else "") + "YXS"[: len(self._frame_shape)]

    def chunk_starts(self, axis: int) -> range:
        """Return where files begin along an axis."""
        return range(self.shape[0]) if self._has_frames and axis == 0 else range(1)

    def read(self, index: Index) -> np.ndarray:
        """Return the part that an index of integers and slices names."""
        if not self._has_frames:
            return self._read_file(0)[index]
        over_files, in_file = index[0], index[1:]
        if not isinstance(over_files, slice):
            return self._read_file(over_files)[in_file]
        steps = range(*over_files.indices(len(self._files)))
        return np.stack([self._read_file(position)[in_file] for position in steps])

    def close(self) -> None:
        """Nothing is held open."""

    def _read_file(self, frame_index: int) -> np.ndarray:
        pixels = _stored(self._files[frame_index])
        if pixels.shape != self._frame_shape:
            raise InputError(
                f"{self._files[frame_index]} is {pixels.shape}, but "
                f"{self._files[0].name} is {self._frame_shape}: all label images of a "
                "movie have one shape"
            )
        return pixels


def open_label_images(path: str | os.PathLike[str]) -> ImageStack:
    """Open label images: TIFF, PNG, BMP, zarr, ``.npy``, or a folder of images.

    Raises
    ------
    InputError
        If there are none, they are broken, or no file for labels.
    """
    path = user_path(path)
    if path.is_dir():
        folder: ImageStack = open_zarr(path) if is_zarr(path) else _open_folder(path)
        return folder
    if not path.exists():
        raise InputError(f"{path} does not exist")
    if not path.is_file():
        raise InputError(f"{path} is neither a file nor a folder")
    return _open_file(path, _first_bytes(path))


def as_labels(pixels: np.ndarray, where: str) -> np.ndarray:
    """Return stored pixels as labels, 0 for background.

    Parameters
    ----------
    pixels
        Of bool or integers, or of floats that are whole numbers; −1 is background.
    where
        What errors call them.

    Raises
    ------
    InputError
        If they are anything else.
    """
    if pixels.dtype.kind == "f":
        if not np.isfinite(pixels).all() or (pixels != np.round(pixels)).any():
            raise InputError(f"{where}: labels are whole numbers, but some are not")
        pixels = pixels.astype(np.int64)
    if pixels.dtype.kind == "b":
        return pixels.astype(np.uint8)
    if pixels.dtype.kind not in "iu":
        raise InputError(f"{where}: labels are whole numbers, not {pixels.dtype}")
    if pixels.dtype.kind == "i":
        low = pixels.min(initial=0)
        if low < NO_LABEL:
            raise InputError(
                f"{where}: {low} is no label; labels are 1 or more, and 0 or "
                f"{NO_LABEL} is background"
            )
        if low < 0:
            return np.where(pixels < 0, 0, pixels)
    return pixels


def color_ids(samples: np.ndarray) -> np.ndarray:
    """Return one number a pixel: of greys their value, of colours one for each.

    Parameters
    ----------
    samples
        ``(Y, X, S)`` unsigned integers: grey or red, green and blue, and perhaps how
        opaque they are. Where they are not at all, there is background.
    """
    count = samples.shape[-1]
    shown = samples[..., : 3 if count > 2 else 1].astype(np.int64)
    red, green, blue = (shown[..., min(one, shown.shape[-1] - 1)] for one in range(3))
    bits = 8 * min(samples.dtype.itemsize, 2)
    packed = COLOR | red << 2 * bits | green << bits | blue
    ids: np.ndarray = np.where((red == green) & (green == blue), red, packed)
    if count in (2, 4):
        ids = np.where(samples[..., -1] == 0, 0, ids)
    return ids


def holds_colors(labels: np.ndarray) -> bool:
    """Return whether some ids are those of colours."""
    return bool(labels.dtype.kind == "i" and (labels >= COLOR).any())


def _open_file(path: Path, magic: bytes) -> ImageStack:
    if magic == NPY_MAGIC or path.suffix.lower() == NPY_SUFFIX:
        return open_npy(path)
    if magic in TIFF_MAGIC:
        stack = TiffStack(path)
        if stack.is_lossy:
            stack.close()
            raise _lossy(path)
        return stack
    if path.suffix.lower() not in FRAME_SUFFIXES and not magic.startswith(PICTURES):
        raise InputError(
            f"{path} is of an unknown kind: give label images as TIFF, PNG, BMP, .npy, "
            "zarr, or a folder of these"
        )
    return LabelFiles([path], str(path), has_frames=False)


def _open_folder(path: Path) -> LabelFiles:
    files = sorted(
        (
            file
            for file in path.iterdir()
            if file.suffix.lower() in FRAME_SUFFIXES and file.name[0] != "."
        ),
        key=lambda file: natural_key(file.name),
    )
    if not files:
        raise InputError(
            f"{path} holds no label images: give {', '.join(FRAME_SUFFIXES)} files"
        )
    return LabelFiles(files, str(path), has_frames=True)


def _first_bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(len(NPY_MAGIC))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error


def _stored(file: Path) -> np.ndarray:
    image = read_image(file)
    if image.is_lossy:
        raise _lossy(file)
    letters = [letter for letter in image.axes if letter in "YXS"]
    pixels = image.pixels
    if pixels.ndim != len(letters):
        raise InputError(
            f"{file} holds a stack of shape {pixels.shape}; in a folder of label "
            "images each file is one frame"
        )
    return pixels


def _lossy(path: Path) -> InputError:
    return InputError(
        f"{path} is compressed as JPEG, which changes pixels: its numbers are no "
        "labels any more; save labels and masks as PNG or uncompressed TIFF"
    )

"""Label images on disk: one number a pixel, as it was stored.

The one door for them all: prompts, masks, the truth of an evaluation. Indices are
numbers here and no colours. What may differ from what was saved (JPEG) is refused, and
so is every pickle.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np

from napari_sam2.errors import InputError
from napari_sam2.io.movies.calibration import AxisScale
from napari_sam2.io.movies.files.file_series import FileSeries, arrange_files
from napari_sam2.io.movies.files.folder_stacks import FRAME_SUFFIXES, image_names
from napari_sam2.io.movies.files.image_headers import PICTURE_MAGIC
from napari_sam2.io.movies.files.image_stacks import (
    ImageStack,
    Index,
    read_pages,
    reading,
)
from napari_sam2.io.movies.files.images import TIFF_MAGIC, read_image
from napari_sam2.io.movies.files.kinds import refuse_small_pictures, unknown_kind
from napari_sam2.io.movies.files.numpy_files import NPY_MAGIC, NPY_SUFFIX, open_npy
from napari_sam2.io.movies.files.tiff_stacks import TiffStack
from napari_sam2.io.movies.files.zarr_stacks import is_zarr, open_zarr
from napari_sam2.paths import refuse_pipe, remote_url, user_path

NO_LABEL = -1
"""Background beside 0: ilastik, scikit-image's and others' word for "nothing"."""

MANY_LABELS = 32
"""Fewer different values are taken as they are."""

VOID = 255
"""What nobody decided on, in data sets of annotated images of 8 bits."""

COLOR = 1 << 62
"""Ids of colours begin here, where no grey value lies."""

LARGEST = 2.0**53
"""From here on not every whole number is one of 64-bit floats."""


class LabelFiles:
    """Image files of labels, each of one frame, as an `ImageStack`.

    Parameters
    ----------
    files
        In the order of the axes that they make up.
    name
        What errors call them.
    series
        What they are to each other; None of a single image.
    """

    def __init__(
        self, files: list[Path], name: str, series: FileSeries | None = None
    ) -> None:
        self.name = name
        self._files = files
        self._lengths = series.shape if series else ()
        first = _stored(files[0])
        self._frame_shape = first.shape
        self.dtype = first.dtype
        self.scales: Mapping[str, AxisScale] = {}
        self.axes = (series.axes if series else "") + "YXS"[: first.ndim]
        self.axes_from = series.known_from if series else "its format"

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        return (*self._lengths, *self._frame_shape)

    def chunk_starts(self, axis: int) -> range:
        """Return where files begin along an axis."""
        return range(self.shape[axis]) if axis < len(self._lengths) else range(1)

    def read(self, index: Index) -> np.ndarray:
        """Return the part that an index of integers and slices names."""
        return read_pages(index, self._lengths, self._read_file)

    def close(self) -> None:
        """Nothing is held open."""

    def _read_file(self, position: int) -> np.ndarray:
        pixels = _stored(self._files[position])
        if pixels.shape != self._frame_shape:
            raise InputError(
                f"{self._files[position]} is {pixels.shape}, but "
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
    if remote_url(path) is not None:
        return open_zarr(path)
    with reading(path, "check its path and who may read it"):
        if path.is_dir():
            return open_zarr(path) if is_zarr(path) else _open_folder(path)
        if not path.exists():
            raise InputError(f"{path} does not exist")
        refuse_pipe(path)
        with path.open("rb") as file:
            magic = file.read(8)
        return _open_file(path, magic)


def read_label_image(path: Path) -> np.ndarray:
    """Read one label image: ``(Y, X)`` whole numbers, 0 for background.

    Raises
    ------
    InputError
        If it is missing or broken, in colour, or no file for labels.
    """
    pixels = _stored(path)
    if pixels.ndim != 2:
        raise InputError(f"{path} is in colour, but labels are one number a pixel")
    return as_labels(pixels, str(path))


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
        is_number = np.isfinite(pixels) & (np.abs(pixels) < LARGEST)
        if not is_number.all() or (pixels != np.round(pixels)).any():
            raise InputError(
                f"{where}: labels are whole numbers, but some of these {pixels.dtype} "
                "are not"
            )
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


def refuse_intensities(labels: np.ndarray, where: str) -> None:
    """Refuse an image whose values change from pixel to pixel, as no labels do.

    Raises
    ------
    InputError
        Saying what to give instead.
    """
    count = len(np.unique(labels[labels != 0]))
    if count < MANY_LABELS:
        return
    neighbours = [(labels[1:], labels[:-1]), (labels[:, 1:], labels[:, :-1])]
    inside = [(one != 0) & (other != 0) for one, other in neighbours]
    changed = [one != other for one, other in neighbours]
    pairs = sum(int(both.sum()) for both in inside)
    changes = sum(
        int((both & change).sum()) for both, change in zip(inside, changed, strict=True)
    )
    if changes > pairs / 2:
        raise InputError(
            f"{where}: looks like intensities, not labels: {count} values that change "
            "from pixel to pixel; give an image with one number for each object"
        )


def marks_void(ids: Collection[int]) -> bool:
    """Tell whether `VOID` is among ids, and no id that one would expect before it."""
    return VOID in ids and VOID - 1 not in ids and len(ids) > 1


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
    if magic.startswith(NPY_MAGIC) or path.suffix.lower() == NPY_SUFFIX:
        return open_npy(path)
    if magic[:4] in TIFF_MAGIC:
        refuse_small_pictures(path)
        stack = TiffStack(path)
        if stack.is_lossy:
            stack.close()
            raise _lossy(path)
        return stack
    is_picture = magic.startswith(PICTURE_MAGIC)
    if not is_picture and path.suffix.lower() not in FRAME_SUFFIXES:
        known = "give label images as TIFF, PNG, BMP, .npy, zarr, or a folder of these"
        raise unknown_kind(path, known)
    return LabelFiles([path], str(path))


def _open_folder(path: Path) -> LabelFiles:
    names = image_names(path)
    try:
        series = arrange_files(names, str(path), are_labels=True)
    except InputError as error:
        # No pattern of names is asked for here.
        what = str(error).rpartition("; ")[0]
        raise InputError(
            f"{what}; keep the label images of one movie, all of them, in a folder of "
            "their own"
        ) from error
    return LabelFiles([path / name for name in series.names], str(path), series)


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
        f"{path} is compressed as JPEG or one of its kin, which changes pixels: its "
        "numbers are no labels any more; save labels and masks as PNG or uncompressed "
        "TIFF"
    )

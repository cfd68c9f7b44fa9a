"""Labels of stacks, and of stacks over time, read plane by plane."""

from __future__ import annotations

import os
from contextlib import closing

import numpy as np

from napari_sam2.errors import InputError
from napari_sam2.io.axis_names import UNSAID
from napari_sam2.io.movies.axes import FrameLayout
from napari_sam2.io.movies.files.image_stacks import ImageStack
from napari_sam2.io.movies.label_frames import LabelSelection, lay_out_labels
from napari_sam2.io.movies.label_images import as_labels, open_label_images
from napari_sam2.io.prompts.label_images import read_samples

PAGES = ("?", UNSAID, "I")
"""Axes of which a file does not say what they are."""


def is_label_volume(path: str | os.PathLike[str]) -> bool:
    """Return whether label images are more than one plane.

    Raises
    ------
    InputError
        If they cannot be read.
    """
    with closing(open_label_images(path)) as stack:
        return bool(_long_axes(stack))


def read_volume_plane(
    path: str | os.PathLike[str],
    *,
    place: tuple[int, int],
    shape: tuple[int, int, int, int],
) -> np.ndarray:
    """Read one ``(Y, X)`` plane of the labels of a stack, or of stacks over time.

    Parameters
    ----------
    path
        ``(Z, Y, X)`` or ``(T, Z, Y, X)`` labels.
    place
        Frame and plane.
    shape
        ``(T, Z, Y, X)`` of the movie.

    Raises
    ------
    InputError
        If the file is broken, in colour or no file for labels, has axes beside time and
        z, or the movie has another shape.
    """
    with closing(LabelVolume(path, shape)) as volume:
        return volume.read(*place)


class LabelVolume:
    """Labels of stacks over time in a file, read plane by plane.

    Parameters
    ----------
    path
        ``(Z, Y, X)`` or ``(T, Z, Y, X)`` labels.
    shape
        ``(T, Z, Y, X)`` of the movie.

    Raises
    ------
    InputError
        If the file is broken or no file for labels.
    """

    def __init__(
        self, path: str | os.PathLike[str], shape: tuple[int, int, int, int]
    ) -> None:
        self._stack = open_label_images(path)
        self._path, self._shape = path, shape

    def close(self) -> None:
        """Release the file."""
        self._stack.close()

    @property
    def has_time(self) -> bool:
        """Whether it holds more than one stack."""
        return len(_long_axes(self._stack)) > 1

    def read(self, frame_index: int, plane: int) -> np.ndarray:
        """Return ``(Y, X)`` labels; a single stack is that of any frame.

        Raises
        ------
        InputError
            If they cannot be read, are in colour, have axes beside time and z, or the
            movie has another shape.
        """
        layout = _lay_out(self._stack, frame_index, self._shape)
        samples = read_samples(self._stack, layout, plane)
        return as_labels(samples, str(self._path))


def _lay_out(
    stack: ImageStack, frame: int, shape: tuple[int, int, int, int]
) -> FrameLayout:
    """Return the layout of one stack, whose planes are the frames."""
    is_series = len(_long_axes(stack)) > 1
    selection = LabelSelection(t=frame if is_series else None)
    try:
        layout = lay_out_labels(stack, selection, axes=_axes(stack))
        lengths = (layout.frame_count, *layout.frame_shape)
        times = (layout.length("T"),) if is_series else ()
        if (*times, *lengths) == (shape if is_series else shape[1:]):
            return layout
        cause = None
    except InputError as error:
        cause = error
    raise InputError(
        f"{stack.name} has shape {stack.shape}, with the axes "
        f"{', '.join(_axes(stack))}, but the movie {shape} (t, z, y, x); give labels "
        "of one stack, (z, y, x), or of all, of one channel and position"
    ) from cause


def _axes(stack: ImageStack) -> tuple[str, ...]:
    """Return what the dimensions are; those that nobody names are planes, and times."""
    letters = list(stack.axes or (*(len(stack.shape) - 2) * (UNSAID,), "Y", "X"))
    unsaid = [
        at
        for at, letter in enumerate(letters)
        if letter in PAGES and stack.shape[at] > 1
    ]
    names = [letter for letter in "ZT" if letter not in letters]
    for at, letter in zip(reversed(unsaid), names, strict=False):
        letters[at] = letter
    return tuple(letters)


def _long_axes(stack: ImageStack) -> list[str]:
    """Return the axes that are longer than 1, but rows, columns and samples."""
    return [
        letter
        for letter, length in zip(_axes(stack), stack.shape, strict=True)
        if letter not in ("Y", "X", "S") and length > 1
    ]

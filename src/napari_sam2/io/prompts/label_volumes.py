"""Labels of stacks, and of stacks over time, read plane by plane."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import closing

import numpy as np

from napari_sam2.errors import InputError
from napari_sam2.io.axis_names import UNSAID
from napari_sam2.io.movies.files.image_stacks import (
    READ_FAILURES,
    ImageStack,
    Index,
    one_line,
)
from napari_sam2.io.movies.label_images import as_labels, color_ids, open_label_images

STACKED = ("T", "Z", "?", UNSAID, "I")
"""Axes of stacks over time, and those of which a file does not say what they are."""


def is_label_volume(path: str | os.PathLike[str]) -> bool:
    """Return whether label images are more than one plane.

    Raises
    ------
    InputError
        If they cannot be read.
    """
    with closing(open_label_images(path)) as stack:
        return len(_others(stack)) > 0


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
    with closing(open_label_images(path)) as stack:
        index, letters = _index_of_plane(stack, place, shape), _letters(stack)
        try:
            plane = stack.read(index)
        except READ_FAILURES as error:
            raise InputError(f"{path} cannot be read: {one_line(error)}") from error
    if letters.index("X") < letters.index("Y"):
        plane = np.swapaxes(plane, 0, 1)
    if plane.ndim > 2 and plane.shape[-1] > 2:
        raise InputError(f"{path} is in colour; labels have one number a pixel")
    return as_labels(color_ids(plane) if plane.ndim > 2 else plane, str(path))


def _letters(stack: ImageStack) -> tuple[str, ...]:
    letters = tuple(stack.axes or "")
    if {"Y", "X"} <= set(letters):
        return letters
    return (*"?" * (len(stack.shape) - 2), "Y", "X")


def _others(stack: ImageStack) -> list[int]:
    """Return the dimensions that are longer than 1, but rows, columns and samples."""
    return [
        axis
        for axis, letter in enumerate(_letters(stack))
        if letter not in ("Y", "X", "S") and stack.shape[axis] > 1
    ]


def _index_of_plane(
    stack: ImageStack, place: tuple[int, int], shape: tuple[int, int, int, int]
) -> Index:
    letters = _letters(stack)
    others = sorted(_others(stack), key=lambda axis: letters[axis] == "Z")
    if foreign := [letters[axis] for axis in others if letters[axis] not in STACKED]:
        raise InputError(
            f"{stack.name} has the axis {foreign[0]}, which is neither time nor z: "
            "save the labels of one channel and position as a file"
        )
    lengths = [stack.shape[axis] for axis in others]
    lengths += [stack.shape[letters.index(letter)] for letter in "YX"]
    if tuple(lengths) not in (shape, shape[1:]):
        raise InputError(
            f"{stack.name} has shape {stack.shape}, but the movie {shape} (t, z, y, x);"
            " give labels of one stack, (z, y, x), or of all"
        )
    return _index_at(stack, dict(zip(others, place[-len(others) :], strict=True)))


def _index_at(stack: ImageStack, places: Mapping[int, int]) -> Index:
    """Return the index of whole rows, columns and samples at places on other axes."""
    return tuple(
        slice(None) if letter in "YXS" else places.get(axis, 0)
        for axis, letter in enumerate(_letters(stack))
    )

"""Label images as prompts: each label is the mask of one object."""

from __future__ import annotations

import os
from contextlib import closing

import numpy as np
from scipy import ndimage

from napari_sam2.errors import InputError
from napari_sam2.io.movies.axes import FrameLayout
from napari_sam2.io.movies.files.image_stacks import READ_FAILURES, ImageStack, one_line
from napari_sam2.io.movies.label_frames import lay_out_labels
from napari_sam2.io.movies.label_images import (
    VOID,
    as_labels,
    color_ids,
    marks_void,
    open_label_images,
    refuse_intensities,
)
from napari_sam2.io.prompts.bounds import PromptBounds, check_object_id
from napari_sam2.prompts import FramePrompt, MaskPrompt, PromptedObject

MASK_VALUES = (255, 65535)
"""What programs write into a mask that says only where something is."""
MOST = 0.5
"""Share of a frame without background that no object covers."""
SPECK = 0.1
"""Share of the largest piece of a mask below which another is no object."""


def read_label_prompts(
    path: str | os.PathLike[str], *, frame: int, bounds: PromptBounds
) -> list[PromptedObject]:
    """Read a label image, or one frame of a stack of them, as mask prompts.

    Parameters
    ----------
    path
        ``(Y, X)`` labels, or ``(T, Y, X)`` of as many frames as the movie.

    Raises
    ------
    InputError
        If it does not fit the movie or holds no labels.
    """
    bounds.check_frame(frame, str(path))
    labels = read_plane(path, frame=frame, frame_count=bounds.frame_count)
    where = f"{path}, frame {frame}"
    if labels.shape != bounds.frame_shape:
        raise InputError(
            f"{where}: the labels are {labels.shape[0]} × {labels.shape[1]} pixels, "
            f"but the movie is {bounds.frame_shape[0]} × {bounds.frame_shape[1]}"
        )
    return prompts_from_labels(labels, frame=frame, where=where)


def prompts_from_labels(
    labels: np.ndarray, *, frame: int, where: str = "labels"
) -> list[PromptedObject]:
    """Make one object of each label.

    Parameters
    ----------
    labels
        ``(Y, X)`` of bool or integers, or of floats that are whole numbers.
    where
        What errors call them.

    Raises
    ------
    InputError
        If there is no label, one is no id from 1 to 65535, or these are intensities,
        a mask of several objects, or kinds of pixels.
    """
    is_mask = labels.dtype.kind == "b"
    labels = as_labels(labels, where)
    ids = [int(value) for value in np.unique(labels) if value != 0]
    if not ids:
        raise InputError(f"{where}: there is no label, only background (0 or -1)")
    for object_id in (ids[0], ids[-1]):
        check_object_id(object_id, where)
    refuse_intensities(labels, where)
    if is_mask or (len(ids) == 1 and ids[0] in MASK_VALUES):
        _refuse_several(labels > 0, where)
    _refuse_kinds(labels, ids, where)
    return [
        PromptedObject(
            object_id,
            (FramePrompt(object_id, frame, mask=MaskPrompt(labels == object_id)),),
        )
        for object_id in ids
    ]


def _refuse_kinds(labels: np.ndarray, ids: list[int], where: str) -> None:
    """Refuse numbers that stand for kinds of pixels, background and border included."""
    if labels.dtype == np.uint8 and marks_void(ids):
        raise InputError(
            f"{where}: {VOID} beside {ids[0]} is an object, or marks pixels that "
            "nobody decided on, as in VOC and DAVIS: set it to 0, or give the object "
            "another number"
        )
    if labels.all():
        largest = int(np.bincount(labels.ravel()).argmax())
        share = np.count_nonzero(labels == largest) / labels.size
        if share > MOST:
            raise InputError(
                f"{where}: no pixel is background (0), and {largest} covers "
                f"{share:.0%} of them: numbers of kinds of pixels, such as ilastik's "
                "Simple Segmentation, are no objects; give each object a number of its "
                "own, and 0 to all else"
            )


def _refuse_several(mask: np.ndarray, where: str) -> None:
    """Refuse a mask of several pieces: nobody knows whether they are one object."""
    pieces, _ = ndimage.label(mask, np.ones((3, 3)))
    areas = np.bincount(pieces.ravel())[1:]
    count = int((areas >= SPECK * areas.max()).sum())
    if count > 1:
        raise InputError(
            f"{where}: a mask in {count} pieces does not say whether they are one "
            "object: give each object a number of its own (skimage.measure.label, or "
            "Analyze Particles with Count Masks in Fiji), or one in pieces the number 1"
        )


def read_plane(
    path: str | os.PathLike[str], *, frame: int = 0, frame_count: int = 1
) -> np.ndarray:
    """Read the one ``(Y, X)`` plane of an image file that belongs to a frame.

    Raises
    ------
    InputError
        If the file is broken, lossy or a pickle, is in colour, has another number of
        frames, or axes that are no frames.
    """
    with closing(open_label_images(path)) as stack:
        layout = _lay_out(stack)
        count = layout.frame_count
        if count not in (1, frame_count):
            raise InputError(
                f"{stack.name} holds {count} label images, but the movie has "
                f"{frame_count} frames; give one image, or one for each frame"
            )
        return read_samples(stack, layout, frame if count > 1 else 0)


def read_samples(stack: ImageStack, layout: FrameLayout, index: int) -> np.ndarray:
    """Read one ``(Y, X)`` frame, as it is stored; of grey and opacity the ids.

    Raises
    ------
    InputError
        If the file is broken there, or in colour.
    """
    try:
        (samples,) = layout.planes(stack.read(layout.index(index, index + 1)))
    except READ_FAILURES as error:
        raise InputError(f"{stack.name} cannot be read: {one_line(error)}") from error
    if len(samples) > 2:
        raise InputError(f"{stack.name} is in colour; labels have one number a pixel")
    return samples[0] if len(samples) == 1 else color_ids(np.moveaxis(samples, 0, -1))


def _lay_out(stack: ImageStack) -> FrameLayout:
    """Tell frames from channels, planes and positions, as movies do."""
    try:
        return lay_out_labels(stack)
    except InputError as error:
        axes = f" with the axes {', '.join(stack.axes)}" if stack.axes else ""
        raise InputError(
            f"{stack.name} has shape {stack.shape}{axes}; labels are one image, or one "
            "for each frame: save those of one channel, plane and position as a file"
        ) from error

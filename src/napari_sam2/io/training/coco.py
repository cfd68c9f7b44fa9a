"""COCO instance annotations, read for training; needs pycocotools."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from napari_sam2.errors import InputError
from napari_sam2.io.optional_packages import optional_package
from napari_sam2.io.training.images import LabelledImage, read_picture, to_uint8
from napari_sam2.paths import read_text


def read_coco(path: Path, images: Path) -> Iterator[LabelledImage]:
    """Read every annotated image of a COCO file.

    Parameters
    ----------
    path
        The ``.json`` file: ``images`` and ``annotations``. A segmentation is a list of
        polygons or a run-length code; crowds are left out.
    images
        Folder of the pictures.

    Yields
    ------
    LabelledImage
        Objects are numbered 1, 2, … from the largest to the smallest, which lies on
        top where they overlap.

    Raises
    ------
    InputError
        If the file is not COCO's, or pycocotools is not installed.
    """
    try:
        content = json.loads(read_text(path, "JSON"))
        entries, annotations = content["images"], content["annotations"]
        of_image: dict[int, list[Mapping[str, Any]]] = {}
        for annotation in annotations:
            if not annotation.get("iscrowd", 0):
                of_image.setdefault(annotation["image_id"], []).append(annotation)
        named = [(entry["id"], entry["file_name"]) for entry in entries]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: no COCO annotations ({error!r})") from error
    for image_id, name in named:
        if image_id in of_image:
            pixels = to_uint8(read_picture(images / name))
            shape = (pixels.shape[0], pixels.shape[1])
            masks = [
                decode_segmentation(one.get("segmentation"), shape, f"{path}: {name}")
                for one in of_image[image_id]
            ]
            yield LabelledImage(
                name,
                pixels[None],
                stacked_labels(masks, shape)[None],
                is_complete=False,
            )


def decode_segmentation(
    segmentation: Any, shape: tuple[int, int], where: str
) -> np.ndarray:
    """Return the ``(Y, X)`` bool mask of polygons or a run-length code.

    Raises
    ------
    InputError
        If it is neither, or made for another shape.
    """
    mask = optional_package("pycocotools.mask", "evaluate")
    height, width = shape
    try:
        if isinstance(segmentation, list):
            code = mask.merge(mask.frPyObjects(segmentation, height, width))
        elif isinstance(segmentation["counts"], list):
            code = mask.frPyObjects(segmentation, height, width)
        else:
            code = segmentation
        with warnings.catch_warnings():
            # pycocotools 2.0 converts to arrays as numpy 1 had it.
            warnings.simplefilter("ignore", DeprecationWarning)
            decoded = np.asarray(mask.decode(code), bool)
    except (TypeError, KeyError, ValueError, IndexError) as error:
        raise InputError(f"{where}: a broken segmentation ({error})") from error
    if decoded.shape != shape:
        raise InputError(
            f"{where}: a mask of shape {decoded.shape} for a picture of shape {shape}"
        )
    return decoded


def stacked_labels(masks: Sequence[np.ndarray], shape: tuple[int, int]) -> np.ndarray:
    """Return ``(Y, X)`` int32: masks by area, small ones on top, numbered from 1."""
    labels = np.zeros(shape, np.int32)
    order = sorted(masks, key=np.count_nonzero, reverse=True)
    for number, mask in enumerate(order, 1):
        labels[mask] = number
    return labels

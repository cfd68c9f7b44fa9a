"""Folders of images and instance masks, read for training."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_sam2.errors import InputError
from napari_sam2.io.movies.files.images import read_image

SUFFIXES = (".png", ".tif", ".tiff", ".jpg", ".jpeg", ".bmp")
LARGEST_ID = 2**24 - 1
"""Higher ids are those of objects that training adds."""

LOW_PERCENTILE, HIGH_PERCENTILE = 0.1, 99.9


@dataclass(frozen=True, slots=True, eq=False)
class LabelledImage:
    """An image or a movie and the instance masks drawn on it.

    Attributes
    ----------
    name
        Of the file or the movie.
    frames
        ``(T, Y, X, C)`` uint8, C is 1 for grey images and 3 for coloured ones; T is 1
        for an image.
    labels
        ``(T, Y, X)`` int32, 0 background.
    is_complete
        Whether every object was labelled, so that 0 means "nothing is here".
    """

    name: str
    frames: np.ndarray
    labels: np.ndarray
    is_complete: bool = True


def read_folder(folder: Path) -> Iterator[LabelledImage]:
    """Read all pairs of a folder, in order of name.

    Parameters
    ----------
    folder
        Holds ``images/`` and ``masks/``; a mask has the image's name, its suffix may
        differ. Images of 8 bits are taken as they are, all others stretched between
        their 0.1 and 99.9 percentiles; equal RGB channels become one. Palettes give
        colours in images and ids in masks.

    Raises
    ------
    InputError
        If a folder is missing or empty, a mask is missing, shapes differ, or a mask
        holds other values than 0 and the ids of objects.
    """
    images = image_files(folder / "images")
    masks = {path.stem: path for path in image_files(folder / "masks")}
    for path in images:
        if path.stem not in masks:
            raise InputError(f"{path}: has no mask of that name in {folder / 'masks'}")
        yield read_pair(path, masks[path.stem])


def read_pair(image_path: Path, mask_path: Path) -> LabelledImage:
    """Read one image and its masks, see `read_folder`."""
    picture = read_picture(image_path)
    try:
        pixels = to_uint8(picture)
    except InputError as error:
        raise InputError(f"{image_path}: {error}") from error
    labels = read_pixels(mask_path)
    if labels.ndim != 2 or labels.shape != pixels.shape[:2]:
        raise InputError(
            f"{mask_path}: masks of shape {labels.shape} do not fit the image of "
            f"shape {pixels.shape[:2]}; both must show the same pixels"
        )
    _check_ids(labels, mask_path)
    return LabelledImage(image_path.name, pixels[None], labels.astype(np.int32)[None])


def _check_ids(labels: np.ndarray, path: Path) -> None:
    """Refuse what is no id: -1 for "unknown", say, would be an object of its own."""
    is_id = (labels >= 0) & (labels <= LARGEST_ID) & (labels == np.rint(labels))
    if not is_id.all():
        raise InputError(
            f"{path}: holds {labels[~is_id][0]}; a mask holds 0 for background and "
            f"whole numbers up to {LARGEST_ID} for objects. To ignore a part is not "
            "supported: write 0 there, or leave the image out"
        )


def to_uint8(pixels: np.ndarray) -> np.ndarray:
    """Return ``(Y, X, C)`` uint8 of a grey, grey + alpha, RGB or RGBA image."""
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    frame: np.ndarray = frames_to_uint8(pixels[None])[0]
    return frame


def frames_to_uint8(pixels: np.ndarray) -> np.ndarray:
    """Return ``(T, Y, X, C)`` uint8 of frames with channels last, stretched alike.

    NaN is shown like the darkest pixels.

    Raises
    ------
    InputError
        If no pixel is a number.
    """
    pixels = pixels[..., : 3 if pixels.shape[-1] >= 3 else 1]
    if pixels.dtype != np.uint8:
        pixels = _stretched(pixels)
    is_grey = bool((pixels == pixels[..., :1]).all())
    return np.ascontiguousarray(pixels[..., :1] if is_grey else pixels)


def _stretched(pixels: np.ndarray) -> np.ndarray:
    """Return uint8: 0 and 255 at the low and high percentile of what is finite."""
    if pixels.dtype == np.bool_:
        pixels = pixels.astype(np.uint8)
    finite = pixels[np.isfinite(pixels)] if pixels.dtype.kind == "f" else pixels
    if not finite.size:
        raise InputError("no pixel of the image is a number; leave it out")
    low, high = np.percentile(finite, (LOW_PERCENTILE, HIGH_PERCENTILE))
    stretched = (pixels.astype(np.float64) - low) / max(high - low, 1e-9)
    clipped = np.clip(np.nan_to_num(stretched, nan=0.0), 0, 1)
    levels: np.ndarray = np.rint(clipped * 255).astype(np.uint8)
    return levels


def image_files(folder: Path) -> list[Path]:
    """Return the images of a folder, in order of name; hidden files are none.

    Raises
    ------
    InputError
        If there is no such folder, or no image in it.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; it must hold images or masks")
    found = sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
    )
    if not found:
        raise InputError(f"{folder}: holds no image ({', '.join(SUFFIXES)})")
    return found


def read_picture(path: Path) -> np.ndarray:
    """Read a picture as it is shown: palettes and printing colours become RGB.

    Raises
    ------
    InputError
        If it is missing or broken.
    """
    return read_image(path).shown()


def read_pixels(path: Path) -> np.ndarray:
    """Read a picture as it is stored; palette images give their indices.

    Raises
    ------
    InputError
        If it is missing, broken, or a JPEG.
    """
    image = read_image(path)
    if image.is_lossy:
        raise InputError(
            f"{path}: is a JPEG, whose pixels differ from what was saved; save masks "
            "as PNG or TIFF"
        )
    return image.pixels

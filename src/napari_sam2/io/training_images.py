"""Folders of images and instance masks, read for training."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image, UnidentifiedImageError

from napari_sam2.errors import InputError

SUFFIXES = (".png", ".tif", ".tiff", ".jpg", ".jpeg", ".bmp")
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
        their 0.1 and 99.9 percentiles; equal RGB channels become one.

    Raises
    ------
    InputError
        If a folder is missing or empty, a mask is missing, or shapes differ.
    """
    images = image_files(folder / "images")
    masks = {path.stem: path for path in image_files(folder / "masks")}
    for path in images:
        if path.stem not in masks:
            raise InputError(f"{path}: has no mask of that name in {folder / 'masks'}")
        yield read_pair(path, masks[path.stem])


def read_pair(image_path: Path, mask_path: Path) -> LabelledImage:
    """Read one image and its masks, see `read_folder`."""
    pixels = to_uint8(read_pixels(image_path))
    labels = read_pixels(mask_path)
    if labels.ndim != 2 or labels.shape != pixels.shape[:2]:
        raise InputError(
            f"{mask_path}: masks of shape {labels.shape} do not fit the image of "
            f"shape {pixels.shape[:2]}; both must show the same pixels"
        )
    return LabelledImage(image_path.name, pixels[None], labels.astype(np.int32)[None])


def to_uint8(pixels: np.ndarray) -> np.ndarray:
    """Return ``(Y, X, C)`` uint8 of a grey, grey + alpha, RGB or RGBA image."""
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    frame: np.ndarray = frames_to_uint8(pixels[None])[0]
    return frame


def frames_to_uint8(pixels: np.ndarray) -> np.ndarray:
    """Return ``(T, Y, X, C)`` uint8 of frames with channels last, stretched alike."""
    pixels = pixels[..., : 3 if pixels.shape[-1] >= 3 else 1]
    if pixels.dtype != np.uint8:
        low, high = np.percentile(pixels, (LOW_PERCENTILE, HIGH_PERCENTILE))
        stretched = (pixels.astype(np.float64) - low) / max(high - low, 1e-9)
        pixels = np.rint(np.clip(stretched, 0, 1) * 255).astype(np.uint8)
    is_grey = bool((pixels == pixels[..., :1]).all())
    return np.ascontiguousarray(pixels[..., :1] if is_grey else pixels)


def image_files(folder: Path) -> list[Path]:
    """Return the images of a folder, in order of name.

    Raises
    ------
    InputError
        If there is no such folder, or no image in it.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; it must hold images or masks")
    found = sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES)
    if not found:
        raise InputError(f"{folder}: holds no image ({', '.join(SUFFIXES)})")
    return found


def read_pixels(path: Path) -> np.ndarray:
    """Read a picture as it is stored; palette images give their indices.

    Raises
    ------
    InputError
        If it is missing or broken.
    """
    try:
        if path.suffix.lower() in (".tif", ".tiff"):
            return np.asarray(tifffile.imread(path))
        with Image.open(path) as opened:
            return np.asarray(opened)
    except (OSError, ValueError, UnidentifiedImageError) as error:
        raise InputError(f"{path}: cannot be read as an image ({error})") from error

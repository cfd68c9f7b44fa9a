"""Videos with true masks, read frame by frame: what benchmarks of tracking measure on.

Some layouts hold a folder of pictures and a folder of masks for each video. DAVIS,
YouTube-VOS and LVOS have ``JPEGImages/bear/00005.jpg`` and
``Annotations/bear/00005.png``, whose pixels are object ids; not every picture need have
masks. SA-V's validation and test parts have ``JPEGImages_24fps/sav_000001/00004.jpg``
and, for each object, ``Annotations_6fps/sav_000001/000/00004.png``, so that objects may
overlap. Movies with tracks are taken as they are, and whatever else
training reads as it reads it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import get_args

import numpy as np

from napari_sam2.errors import InputError
from napari_sam2.io.training.images import (
    LabelledImage,
    frames_to_uint8,
    image_files,
    read_picture,
    read_pixels,
)
from napari_sam2.io.training.sources import Layout, TrainingSource, read_source
from napari_sam2.io.training.tracks import open_tracks

LAYOUTS: tuple[str, ...] = ("sav-test", "youtube-vos", "lvos", *get_args(Layout))

VOID = 255
"""Pixels of palette images that belong to nobody."""

Masks = Mapping[int, np.ndarray]
"""By object id: ``(Y, X)`` bool; objects without a pixel are left out."""


@dataclass(frozen=True, slots=True, eq=False)
class MaskVideo:
    """A video and its true masks.

    Attributes
    ----------
    name
        Of the folder or file.
    frame_count, frame_shape
        Pictures, and their ``(Y, X)`` in pixels.
    annotated
        Indices of the pictures whose masks are known, ascending.
    read_frame
        Index → ``(Y, X, 3)`` uint8.
    read_masks
        Annotated index → masks.
    """

    name: str
    frame_count: int
    frame_shape: tuple[int, int]
    annotated: tuple[int, ...]
    read_frame: Callable[[int], np.ndarray]
    read_masks: Callable[[int], Masks]


def open_videos(path: Path, layout: str) -> Iterator[MaskVideo]:
    """Open every video of a data set, one after the other, in order of name.

    Raises
    ------
    InputError
        If the layout is unknown, or something is missing or broken.
    """
    match layout:
        case "sav-test":
            pictures, masks = path / "JPEGImages_24fps", path / "Annotations_6fps"
            return _folders(pictures, masks, _read_object_masks)
        case "davis" | "youtube-vos" | "lvos":
            pictures, masks = path / "JPEGImages", path / "Annotations"
            return _folders(*_with_resolution(pictures, masks), _read_palette_masks)
        case "tracks":
            return iter([_tracks(path)])
        case _ if layout in LAYOUTS:
            source = TrainingSource(layout, path)  # type: ignore[arg-type]
            return map(video_of, read_source(source))
    raise InputError(f"--layout {layout}: known are {', '.join(LAYOUTS)}")


def video_of(image: LabelledImage) -> MaskVideo:
    """Return a labelled image or movie as a video, all of its frames annotated."""
    return _whole(image.name, image.frames, image.labels)


def _tracks(folder: Path) -> MaskVideo:
    """Open movie and tracks as they are: training sees short, smoothed parts."""
    movie, tracks = open_tracks(folder)
    return _whole(folder.name, frames_to_uint8(movie[..., None]), tracks)


def _whole(name: str, frames: np.ndarray, labels: np.ndarray) -> MaskVideo:
    count, height, width = labels.shape

    def read_frame(index: int) -> np.ndarray:
        return np.ascontiguousarray(np.broadcast_to(frames[index], (height, width, 3)))

    def read_masks(index: int) -> Masks:
        return masks_of(labels[index])

    annotated = tuple(range(count))
    return MaskVideo(name, count, (height, width), annotated, read_frame, read_masks)


def masks_of(labels: np.ndarray) -> Masks:
    """Return the masks of a ``(Y, X)`` label image."""
    return {one: labels == one for one in np.unique(labels).tolist() if one > 0}


def _with_resolution(pictures: Path, masks: Path) -> tuple[Path, Path]:
    """Step into DAVIS's folder of a resolution, the first of several."""
    found = sorted(masks.glob("*/*/*.png"))
    if not found:
        return pictures, masks
    inner = found[0].parent.parent.name
    return pictures / inner, masks / inner


ReadMasks = Callable[[Path, str], Masks]
"""A video's folder of masks and the name of a picture → masks."""


def _folders(pictures: Path, masks: Path, read: ReadMasks) -> Iterator[MaskVideo]:
    if not masks.is_dir():
        raise InputError(f"{masks}: no such folder; it must hold a folder a video")
    videos = sorted(path for path in masks.iterdir() if path.is_dir())
    if not videos:
        raise InputError(f"{masks}: holds no folder of masks of a video")
    for video in videos:
        yield _folder(pictures / video.name, video, read)


def _folder(pictures: Path, masks: Path, read: ReadMasks) -> MaskVideo:
    frames = image_files(pictures)
    index = {frame.stem: number for number, frame in enumerate(frames)}
    names = sorted({path.stem for path in masks.rglob("*.png")})
    if not names:
        raise InputError(f"{masks}: holds no mask (.png)")
    for name in names:
        if name not in index:
            raise InputError(f"{masks}: {name}.png has no image in {pictures}")
    first = _rgb(frames[0])

    def read_masks(number: int) -> Masks:
        found = read(masks, frames[number].stem)
        for mask in found.values():
            if mask.shape != first.shape[:2]:
                raise InputError(
                    f"{masks}: {frames[number].stem}.png is {mask.shape}, its image "
                    f"{first.shape[:2]}"
                )
        return found

    return MaskVideo(
        masks.name,
        len(frames),
        (first.shape[0], first.shape[1]),
        tuple(index[name] for name in names),
        lambda number: _rgb(frames[number]),
        read_masks,
    )


def _rgb(path: Path) -> np.ndarray:
    pixels = read_picture(path)
    frame = frames_to_uint8((pixels if pixels.ndim == 3 else pixels[..., None])[None])
    return np.ascontiguousarray(np.broadcast_to(frame[0], (*frame.shape[1:3], 3)))


def _read_palette_masks(masks: Path, name: str) -> Masks:
    labels = read_pixels(masks / f"{name}.png")
    if labels.ndim != 2:
        raise InputError(f"{masks / name}.png: no palette image of object ids")
    if _is_grey(masks):
        return masks_of((labels > 0).astype(np.uint8))
    return {one: mask for one, mask in masks_of(labels).items() if one != VOID}


@lru_cache(maxsize=1)
def _is_grey(masks: Path) -> bool:
    """Return whether masks are grey, 255 on the one object, as in DAVIS 2016."""
    first = read_pixels(min(masks.glob("*.png")))
    return bool(np.isin(first, (0, VOID)).all() and (first == VOID).any())


def _read_object_masks(masks: Path, name: str) -> Masks:
    found = {}
    for folder in sorted(path for path in masks.iterdir() if path.is_dir()):
        path = folder / f"{name}.png"
        if path.is_file():
            mask = read_pixels(path) > 0
            if mask.any():
                found[_number(folder)] = mask
    return found


def _number(folder: Path) -> int:
    """Return the id of an object whose masks lie in a folder; SA-V counts from 000."""
    if not folder.name.isdecimal():
        raise InputError(f"{folder}: folders of objects are called 000, 001, …")
    return int(folder.name) + 1

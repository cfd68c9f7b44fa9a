"""Videos in the layout of DAVIS, read for training.

``JPEGImages/480p/bear/00000.jpg`` belongs to ``Annotations/480p/bear/00000.png``, whose
pixels are object ids; the folder of the resolution may be missing. In DAVIS 2016 masks
are grey, 255 on the one object.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from napari_sam2.errors import InputError
from napari_sam2.io.training.images import (
    LabelledImage,
    frames_to_uint8,
    image_files,
    read_picture,
    read_pixels,
)

VOID = 255


def read_davis(folder: Path) -> Iterator[LabelledImage]:
    """Read every video of a data set.

    Parameters
    ----------
    folder
        Holds ``JPEGImages`` and ``Annotations``.

    Yields
    ------
    LabelledImage
        The annotated frames; what is marked void (255) counts as unlabelled. Other
        objects than the annotated ones may be in view. Of several resolutions, the
        first (480p) is read.

    Raises
    ------
    InputError
        If a folder or an image is missing, or shapes differ.
    """
    annotations = folder / "Annotations"
    if not annotations.is_dir():
        raise InputError(f"{annotations}: no such folder; DAVIS keeps its masks there")
    folders = sorted({path.parent for path in annotations.rglob("*.png")})
    if not folders:
        raise InputError(f"{annotations}: holds no mask (.png)")
    videos = {video.name: video for video in reversed(folders)}
    for _, video in sorted(videos.items()):
        yield _read_video(video, folder / "JPEGImages" / video.relative_to(annotations))


def _read_video(masks: Path, images: Path) -> LabelledImage:
    pictures = {path.stem: path for path in image_files(images)}
    frames, labels = [], []
    for path in sorted(masks.glob("*.png")):
        if path.stem not in pictures:
            raise InputError(f"{path}: has no image of that number in {images}")
        pixels = read_picture(pictures[path.stem])
        indices = read_pixels(path)
        if indices.ndim != 2 or indices.shape != pixels.shape[:2]:
            raise InputError(
                f"{path}: masks of shape {indices.shape} do not fit the image of shape "
                f"{pixels.shape[:2]}"
            )
        frames.append(pixels if pixels.ndim == 3 else pixels[..., None])
        labels.append(indices.astype(np.int32))
    shown, found = frames_to_uint8(np.stack(frames)), np.stack(labels)
    is_binary = np.isin(found, (0, VOID)).all()
    found[found == VOID] = 1 if is_binary else 0
    return LabelledImage(masks.name, shown, found, is_complete=False)

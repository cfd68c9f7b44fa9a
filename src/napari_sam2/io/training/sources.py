"""The door to labelled images and movies of every layout, for training."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from napari_sam2.io.training.coco import read_coco
from napari_sam2.io.training.ctc import read_ctc
from napari_sam2.io.training.davis import read_davis
from napari_sam2.io.training.images import LabelledImage, read_folder
from napari_sam2.io.training.masklets import MaskletChoice, Trust, read_masklets
from napari_sam2.io.training.sav import read_sav
from napari_sam2.io.training.tracks import read_tracks_folder

Layout = Literal["folder", "masklets", "ctc", "sav", "davis", "coco", "tracks"]


@dataclass(frozen=True, slots=True)
class TrainingSource:
    """Where labelled images lie, and in which layout.

    Attributes
    ----------
    path
        Folder, or COCO's ``.json``.
    images
        COCO's folder of pictures, or the movie of masklets; None where the layout says.
    trust
        Which masklets teach, see `MaskletChoice`.
    max_side
        Larger pictures are shrunk by a whole factor to at most this; 0 for never.
    frames
        Of a movie with tracks only so many frames are read; 0 for all.
    """

    layout: Layout
    path: Path
    images: Path | None = None
    trust: Trust = "all"
    max_side: int = 0
    frames: int = 0


def read_source(source: TrainingSource) -> Iterator[LabelledImage]:
    """Read all labelled images or movies of a source, one after the other.

    Raises
    ------
    InputError
        If something is missing or broken.
    """
    for image in _read(source):
        yield shrunk(image, source.max_side)


def _read(source: TrainingSource) -> Iterator[LabelledImage]:
    path = source.path
    match source.layout:
        case "folder":
            return read_folder(path)
        case "masklets":
            choice = MaskletChoice(source.trust)
            return read_masklets(path, source.images, choice=choice)
        case "ctc":
            return read_ctc(path)
        case "sav":
            return read_sav(path)
        case "davis":
            return read_davis(path)
        case "coco":
            return read_coco(path, source.images or path.parent)
        case "tracks":
            return read_tracks_folder(path, source.frames)


def shrunk(image: LabelledImage, max_side: int) -> LabelledImage:
    """Return an image no larger than ``max_side`` pixels, see `TrainingSource`.

    Frames are averaged; of labels the pixel in the middle is kept.
    """
    side = max(image.labels.shape[1:])
    if not 0 < max_side < side:
        return image
    factor = -(-side // max_side)
    height, width = (length // factor for length in image.labels.shape[1:])
    whole = image.frames[:, : height * factor, : width * factor]
    blocks = whole.reshape(len(whole), height, factor, width, factor, -1)
    frames = np.rint(blocks.mean(axis=(2, 4))).astype(np.uint8)
    middle = factor // 2
    labels = image.labels[:, middle::factor, middle::factor][:, :height, :width]
    return replace(image, frames=frames, labels=np.ascontiguousarray(labels))

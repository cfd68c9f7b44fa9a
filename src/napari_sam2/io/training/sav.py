"""SA-V videos with their masklets, read for training; needs av and pycocotools.

``sav_000001.mp4`` (24 frames per second) comes with ``sav_000001_manual.json`` and
``…_auto.json``; every fourth frame is annotated.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from napari_sam2.errors import InputError
from napari_sam2.io.optional_packages import optional_package
from napari_sam2.io.training.coco import decode_segmentation
from napari_sam2.io.training.images import LabelledImage, frames_to_uint8
from napari_sam2.paths import read_text

ANNOTATED_EVERY = 4


def read_sav(folder: Path, *, kind: str = "manual") -> Iterator[LabelledImage]:
    """Read every video of a folder that has masklets, its annotated frames alone.

    Parameters
    ----------
    folder
        Holds ``.mp4`` and ``.json`` files, perhaps in folders.
    kind
        ``"manual"`` or ``"auto"``.

    Yields
    ------
    LabelledImage
        Masklets are numbered 1, 2, … in their order; a smaller mask lies on top.

    Raises
    ------
    InputError
        If nothing is found, a file is broken, or a package is missing.
    """
    found = sorted(folder.rglob(f"*_{kind}.json"))
    if not found:
        raise InputError(f"{folder}: holds no masklets (*_{kind}.json)")
    for path in found:
        stem = path.name.removesuffix(f"_{kind}.json")
        yield _read_video(path.with_name(f"{stem}.mp4"), path)


def _read_video(video: Path, masklets: Path) -> LabelledImage:
    try:
        text = read_text(masklets, "JSON")
        annotated: list[list[Any]] = json.loads(text)["masklet"]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{masklets}: no masklets of SA-V ({error!r})") from error
    frames, labels = [], []
    for frame, codes in zip(_every_fourth(video), annotated, strict=False):
        frames.append(frame)
        shape = (frame.shape[0], frame.shape[1])
        masks = [decode_segmentation(code, shape, str(masklets)) for code in codes]
        labels.append(_numbered(masks, shape))
    if not frames:
        raise InputError(f"{video}: holds no annotated frame")
    if len(frames) < len(annotated) - 1:  # videos lack their very last frame at times
        raise InputError(
            f"{video}: ends after {len(frames)} of the {len(annotated)} frames that "
            f"{masklets.name} annotates: get it again"
        )
    pixels = frames_to_uint8(np.stack(frames))
    return LabelledImage(video.stem, pixels, np.stack(labels), is_complete=False)


def _every_fourth(video: Path) -> Iterator[np.ndarray]:
    """Decode the annotated frames of a video: ``(Y, X, 3)`` uint8."""
    av = optional_package("av", "video")
    try:
        with av.open(str(video)) as container:
            for index, frame in enumerate(container.decode(video=0)):
                if index % ANNOTATED_EVERY == 0:
                    yield frame.to_ndarray(format="rgb24")
    except OSError as error:  # av's errors are among these
        raise InputError(f"{video}: cannot be read ({error})") from error


def _numbered(masks: list[np.ndarray], shape: tuple[int, int]) -> np.ndarray:
    labels = np.zeros(shape, np.int32)
    order = sorted(range(len(masks)), key=lambda i: -np.count_nonzero(masks[i]))
    for index in order:
        labels[masks[index]] = index + 1
    return labels

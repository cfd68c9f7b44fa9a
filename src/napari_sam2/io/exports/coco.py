"""Run-length masks: COCO's JSON, and the layout of SA-V. Written frame by frame."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from napari_sam2.io.exports.masklets import MaskletMovie
from napari_sam2.io.optional_packages import optional_package

CATEGORY = {"id": 1, "name": "object"}


def write_coco(masklets: MaskletMovie, path: Path) -> None:
    """Write COCO annotations: an image a frame, ``track_id`` says which object it is.

    Raises
    ------
    InputError
        If pycocotools is not installed.
    """
    encode = _encoder()
    height, width = masklets.frame_shape
    images = [
        {"id": n + 1, "width": width, "height": height, "file_name": f"{n:06d}"}
        for n in range(masklets.frame_count)
    ]

    def annotations() -> Iterator[dict[str, Any]]:
        number = 0
        for frame_index, labels in masklets.frames():
            for object_id, mask, area in _masks(labels):
                number += 1
                rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
                top, left = int(rows[0]), int(columns[0])
                yield {
                    "id": number,
                    "image_id": frame_index + 1,
                    "category_id": CATEGORY["id"],
                    "track_id": object_id,
                    "segmentation": encode(mask),
                    "area": area,
                    "bbox": [
                        left,
                        top,
                        int(columns[-1]) - left + 1,
                        int(rows[-1]) - top + 1,
                    ],
                    "iscrowd": 0,
                }

    with path.open("w", encoding="utf-8") as file:
        file.write(f'{{"images": {json.dumps(images)}, ')
        file.write(f'"categories": {json.dumps([CATEGORY])}, "annotations": ')
        _write_list(file, annotations())
        file.write("}\n")


def write_sav(masklets: MaskletMovie, path: Path) -> None:
    """Write masklets as SA-V has them: for each frame a mask of every object.

    An absent object has an empty mask.

    Raises
    ------
    InputError
        If pycocotools is not installed.
    """
    encode = _encoder()
    ids: set[int] = {state.object_id for state in masklets.objects}
    for _, labels in masklets.frames():
        ids |= set(np.unique(labels).tolist())
    object_ids = sorted(ids - {0})
    height, width = masklets.frame_shape
    facts = {
        "video_id": masklets.name,
        "video_frame_count": masklets.frame_count,
        "video_height": height,
        "video_width": width,
        "masklet_id": object_ids,
        "masklet_num": len(object_ids),
    }
    with path.open("w", encoding="utf-8") as file:
        file.write(json.dumps(facts)[:-1] + ', "masklet": ')
        _write_list(
            file,
            (
                [encode(labels == object_id) for object_id in object_ids]
                for _, labels in masklets.frames()
            ),
        )
        file.write("}\n")


def _encoder() -> Callable[[np.ndarray], dict[str, Any]]:
    coco = optional_package("pycocotools.mask", "export")

    def encode(mask: np.ndarray) -> dict[str, Any]:
        found = coco.encode(np.asfortranarray(mask, np.uint8))
        return {
            "size": list(map(int, found["size"])),
            "counts": found["counts"].decode(),
        }

    return encode


def _masks(labels: np.ndarray) -> Iterator[tuple[int, np.ndarray, int]]:
    """Yield id, ``(Y, X)`` mask and area of each object."""
    ids, counts = np.unique(labels, return_counts=True)
    for object_id, area in zip(ids.tolist(), counts.tolist(), strict=True):
        if object_id:
            yield object_id, labels == object_id, area


def _write_list(file: TextIO, entries: Iterator[Any]) -> None:
    file.write("[")
    for number, entry in enumerate(entries):
        file.write(("," if number else "") + "\n" + json.dumps(entry))
    file.write("]")

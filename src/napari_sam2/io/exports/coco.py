"""Run-length masks: COCO's JSON, and the layout of SA-V. Written frame by frame."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from scipy.ndimage import find_objects

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
            areas = np.bincount(labels.ravel())
            boxes = find_objects(labels)
            for object_id, counts in sorted(_counts(labels).items()):
                number += 1
                rows, columns = boxes[object_id - 1]
                height_there = rows.stop - rows.start
                width_there = columns.stop - columns.start
                yield {
                    "id": number,
                    "image_id": frame_index + 1,
                    "category_id": CATEGORY["id"],
                    "track_id": object_id,
                    "segmentation": encode(counts, masklets.frame_shape),
                    "area": int(areas[object_id]),
                    "bbox": [columns.start, rows.start, width_there, height_there],
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
    nothing = [height * width]
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
                [
                    encode(counts.get(object_id, nothing), masklets.frame_shape)
                    for object_id in object_ids
                ]
                for counts in map(_counts, (labels for _, labels in masklets.frames()))
            ),
        )
        file.write("}\n")


def _encoder() -> Callable[[list[int], tuple[int, int]], dict[str, Any]]:
    coco = optional_package("pycocotools.mask", "export")

    def encode(counts: list[int], shape: tuple[int, int]) -> dict[str, Any]:
        size = list(shape)
        found = coco.frPyObjects({"size": size, "counts": counts}, *size)
        return {"size": size, "counts": found["counts"].decode()}

    return encode


def _counts(labels: np.ndarray) -> dict[int, list[int]]:
    """Return each object's run lengths down the columns, of others and of its own.

    One look at the frame tells the runs of all.
    """
    flat = labels.ravel(order="F")
    begins = np.concatenate(([0], np.flatnonzero(np.diff(flat)) + 1))
    stops = np.concatenate((begins[1:], [flat.size]))
    owners = flat[begins]
    order = np.argsort(owners, kind="stable")
    ids, places = np.unique(owners[order], return_index=True)
    counts = {}
    for object_id, runs in zip(ids.tolist(), np.split(order, places[1:]), strict=True):
        if object_id:
            edges = np.stack((begins[runs], stops[runs]), 1).ravel()
            if edges[-1] < flat.size:
                edges = np.append(edges, flat.size)
            counts[object_id] = np.diff(edges, prepend=0).tolist()
    return counts


def _write_list(file: TextIO, entries: Iterator[Any]) -> None:
    file.write("[")
    for number, entry in enumerate(entries):
        file.write(("," if number else "") + "\n" + json.dumps(entry))
    file.write("]")

"""Prompts in movies of stacks: who is prompted on which plane of which time point."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from napari_sam2.errors import InputError
from napari_sam2.io.prompts.bounds import PlaneBounds, PromptBounds, check_family
from napari_sam2.io.prompts.json_file import (
    ObjectEntry,
    PromptEntry,
    PromptsDocument,
    document_of,
    read_document,
    read_entry,
)
from napari_sam2.io.prompts.label_images import prompts_from_labels, read_plane
from napari_sam2.io.prompts.label_volumes import is_label_volume
from napari_sam2.io.prompts.points_csv import stack_point_prompts
from napari_sam2.io.prompts.shapes_csv import holds_shapes
from napari_sam2.io.prompts.tables import read_table
from napari_sam2.prompts import FramePrompt, PromptedObject


@dataclass(frozen=True, slots=True, eq=False)
class VolumePrompts:
    """What a person said about the objects of a movie of stacks.

    Attributes
    ----------
    stacks
        By time point: objects that are prompted there. Frames of their prompts are
        planes, for a stack is a movie along z.
    objects
        Who they all are, with name and mother, without prompts.
    """

    stacks: Mapping[int, tuple[PromptedObject, ...]]
    objects: tuple[PromptedObject, ...]


def holds_label_volume(path: Path) -> bool:
    """Return whether prompts are the labels of whole stacks: nothing to find in z.

    Raises
    ------
    InputError
        If they cannot be read.
    """
    return path.suffix.lower() not in (".json", ".csv") and is_label_volume(path)


def read_volume_prompts(
    path: Path, *, frame: int, bounds: PromptBounds, planes: PlaneBounds
) -> VolumePrompts:
    """Read prompts that lie on single planes.

    Parameters
    ----------
    path
        A prompts file whose entries say ``z``; napari's points (``.csv``) with the
        axes t, z, y, x; or a label image of one plane.
    frame
        Time point of prompts that do not say theirs.
    bounds, planes
        The movie.

    Raises
    ------
    InputError
        Naming the file, the object and the field that is wrong.
    """
    bounds.check_frame(frame, str(path))
    suffix = path.suffix.lower()
    if suffix == ".json":
        return _of_document(read_document(path), path, bounds, planes)
    if suffix == ".csv":
        table = read_table(path)
        if holds_shapes(table):
            raise InputError(
                f"{path}: shapes have no z plane here: prompt a movie of stacks by "
                "points, a prompts file or labels"
            )
        found = stack_point_prompts(table, frame=frame, bounds=bounds, planes=planes)
        return _of_stacks(found)
    plane = planes.plane(None, str(path))
    labels = read_plane(path)
    if labels.shape != bounds.frame_shape:
        raise InputError(
            f"{path}: the labels are {labels.shape[0]} × {labels.shape[1]} pixels, but "
            f"the movie is {bounds.frame_shape[0]} × {bounds.frame_shape[1]}"
        )
    return _of_stacks(
        {frame: prompts_from_labels(labels, frame=plane, where=str(path))}
    )


def document_of_stacks(
    prompts: VolumePrompts, mask_folder: str
) -> tuple[PromptsDocument, dict[str, np.ndarray]]:
    """Describe prompts in stacks as a document, and the masks by relative paths."""
    entries = {
        one.object_id: ObjectEntry(id=one.object_id, name=one.name, parent=one.parent)
        for one in prompts.objects
    }
    masks: dict[str, np.ndarray] = {}
    for frame, objects in prompts.stacks.items():
        document, drawn = document_of(objects, f"{mask_folder}/t{frame}")
        masks |= drawn
        for entry in document.objects:
            entries[entry.id].prompts.extend(
                said.model_copy(update={"frame": frame, "z": said.frame})
                for said in entry.prompts
            )
    return PromptsDocument(version=1, objects=list(entries.values())), masks


def _of_stacks(found: Mapping[int, list[PromptedObject]]) -> VolumePrompts:
    ids = sorted({one.object_id for objects in found.values() for one in objects})
    return VolumePrompts(
        {frame: tuple(found[frame]) for frame in sorted(found)},
        tuple(map(PromptedObject, ids)),
    )


def _of_document(
    document: PromptsDocument, path: Path, bounds: PromptBounds, planes: PlaneBounds
) -> VolumePrompts:
    found: dict[int, list[PromptedObject]] = {}
    for entry in document.objects:
        by_frame: dict[int, list[PromptEntry]] = {}
        for prompt in entry.prompts:
            by_frame.setdefault(prompt.frame, []).append(prompt)
        for frame, prompts in by_frame.items():
            where = f"{path}: object {entry.id}, frame {frame}"
            on_planes: dict[int, FramePrompt] = {}
            for one in prompts:
                plane = planes.plane(one.z, where)
                if plane in on_planes:
                    raise InputError(
                        f"{where}: has two prompts on plane {plane}; put its points "
                        "and box into one"
                    )
                read = read_entry(one, entry.id, path, bounds)
                on_planes[plane] = replace(read, frame_index=plane)
            in_order = tuple(on_planes[plane] for plane in sorted(on_planes))
            stacked = PromptedObject(entry.id, in_order, entry.name)
            found.setdefault(frame, []).append(stacked)
    if not found:
        raise InputError(f"{path} holds no prompts")
    objects = tuple(
        PromptedObject(entry.id, (), entry.name, entry.parent)
        for entry in document.objects
    )
    check_family(objects, str(path))
    return VolumePrompts(
        {frame: tuple(found[frame]) for frame in sorted(found)}, objects
    )

"""Points and labels as prompts in stacks over time: *Track volume*.

Layers are looked at in the main thread; what is returned reads pixels, in the worker.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from napari_sam2.engine.movie.axes import LayerAxes
from napari_sam2.engine.runs.volumes import WholeStack
from napari_sam2.errors import InputError
from napari_sam2.io.prompts.bounds import PromptBounds, check_object_id
from napari_sam2.io.prompts.stacks import VolumePrompts
from napari_sam2.prompts import FramePrompt, MaskPrompt, PointPrompt, PromptedObject
from napari_sam2.ui.prompts.from_labels import LabelPicture, picture_labels

if TYPE_CHECKING:
    from napari.layers import Image, Labels, Points

LABEL, POSITIVE = "label", "positive"
"""Features of points that say whose a click is, and whether it is inside."""


def points_in_stacks(
    layer: Points, image: Image, axes: LayerAxes, here: Sequence[float]
) -> VolumePrompts:
    """Return clicks on planes of stacks.

    Parameters
    ----------
    layer
        Without the feature ``label`` each point is an object of its own; without
        ``positive`` all are inside of theirs.
    here
        The point of the world that is shown, for dimensions that the points lack.

    Raises
    ------
    InputError
        If there are no points, or one lies outside of the movie.
    """
    along_t, along_z = axes.stack_axes()
    bounds = PromptBounds(axes.frame_shape, axes.shape[along_t])
    found: dict[int, dict[int, dict[int, list[PointPrompt]]]] = {}
    for number, position in enumerate(np.asarray(layer.data)):
        where = f"{layer.name}, point {number + 1}"
        world = layer.data_to_world(position)
        whole = (*here[: max(0, len(here) - len(world))], *world)
        place = image.world_to_data(whole[-image.ndim :])
        frame, plane = round(place[along_t]), round(place[along_z])
        bounds.check_frame(frame, where)
        if not 0 <= plane < axes.shape[along_z]:
            raise InputError(f"{where}: lies on no plane of the movie: delete it")
        y, x = float(place[-2]), float(place[-1])
        bounds.check_position(y, x, where)
        object_id = number + 1
        if LABEL in layer.features:
            object_id = int(layer.features[LABEL].iloc[number])
        check_object_id(object_id, where)
        is_positive = POSITIVE not in layer.features or bool(
            layer.features[POSITIVE].iloc[number]
        )
        by_plane = found.setdefault(frame, {}).setdefault(object_id, {})
        by_plane.setdefault(plane, []).append(PointPrompt(y, x, is_positive))
    if not found:
        raise InputError(f"{layer.name} holds no points: click on cells first")
    return _prompts(
        {
            frame: [
                FramePrompt(object_id, plane, tuple(points))
                for object_id, by_plane in sorted(objects.items())
                for plane, points in sorted(by_plane.items())
            ]
            for frame, objects in found.items()
        }
    )


def labels_in_stack(
    layer: Labels, image: Image, axes: LayerAxes, here: Sequence[float]
) -> Callable[[bool], VolumePrompts | WholeStack]:
    """Return who reads the labels of the time point that is shown, in the worker.

    It is told whether they show all of the stack, or objects on some of its planes.

    Parameters
    ----------
    layer, image, axes, here
        As for `points_in_stacks`.

    Raises
    ------
    InputError
        If the labels do not lie on the movie. The reader: if there are none.
    """
    along_t, along_z = axes.stack_axes()
    frame = round(image.world_to_data(here[-image.ndim :])[along_t])
    frame = min(max(frame, 0), axes.shape[along_t] - 1)
    pictures = [
        picture_labels(layer, image, axes.on_plane(plane), here)
        for plane in range(axes.shape[along_z])
    ]
    return lambda is_whole: _read(pictures, frame, is_whole)


def _read(
    pictures: Sequence[LabelPicture], frame: int, is_whole: bool
) -> VolumePrompts | WholeStack:
    planes = [picture.read(frame) for picture in pictures]
    if not any(labels.any() for labels in planes):
        raise InputError(
            f"there is no label of {pictures[0].name} at time point {frame}: go to the "
            "one that you drew on"
        )
    if is_whole:
        return WholeStack(frame, np.array(planes))
    prompts = [
        FramePrompt(object_id, plane, mask=MaskPrompt(labels == object_id))
        for plane, labels in enumerate(planes)
        for object_id in sorted(set(np.unique(labels).tolist()) - {0})
    ]
    return _prompts({frame: prompts})


def _prompts(by_frame: dict[int, list[FramePrompt]]) -> VolumePrompts:
    """Gather prompts, whose frames are planes, by time point and object."""
    stacks = {}
    for frame, prompts in sorted(by_frame.items()):
        ids = sorted({one.object_id for one in prompts})
        stacks[frame] = tuple(
            PromptedObject(
                object_id, tuple(one for one in prompts if one.object_id == object_id)
            )
            for object_id in ids
        )
    everybody = {one.object_id for stack in stacks.values() for one in stack}
    return VolumePrompts(stacks, tuple(map(PromptedObject, sorted(everybody))))

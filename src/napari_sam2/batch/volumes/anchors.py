"""What the labels of prompted stacks show, and so where each plane is prompted."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_sam2.batch.prompting.policies import AnchorLabels, PlanePrompts
from napari_sam2.io.prompts.label_volumes import read_volume_plane
from napari_sam2.prompts import PromptedObject


@dataclass(frozen=True, slots=True)
class AnchorStack:
    """The labels of one stack.

    Attributes
    ----------
    frame, path
        Its time point, and where the labels are.
    on_plane
        By plane: objects that are there.
    """

    frame: int
    path: Path
    on_plane: tuple[frozenset[int], ...]

    @property
    def object_ids(self) -> frozenset[int]:
        """All its objects."""
        return frozenset().union(*self.on_plane)


def look_at(
    path: Path,
    frame: int,
    shape: tuple[int, int, int, int],
    prompted: Sequence[PromptedObject] = (),
) -> AnchorStack:
    """Look at the labels of a stack, plane by plane.

    Parameters
    ----------
    path, frame
        Labels, and the time point of the stack.
    shape
        ``(T, Z, Y, X)`` of the movie.
    prompted
        Objects that were followed from prompted planes to both sides. A body is in one
        piece: what is seen again beyond a plane without it is left out. Of labels that
        somebody gave, nobody was followed, and nothing is left out.

    Raises
    ------
    InputError
        If the labels cannot be read, or do not fit the movie.
    """
    seen: list[set[int]] = []
    for plane in range(shape[1]):
        labels = read_volume_plane(path, place=(frame, plane), shape=shape)
        seen.append(set(np.unique(labels).tolist()) - {0})
    for one in prompted:
        begun = {prompt.frame_index for prompt in one.shown}
        kept = in_one_piece([one.object_id in ids for ids in seen], begun)
        for plane in set(range(shape[1])) - kept:
            seen[plane].discard(one.object_id)
    return AnchorStack(frame, path, tuple(map(frozenset, seen)))


def in_one_piece(is_there: Sequence[bool], begun: Collection[int]) -> set[int]:
    """Return the planes that are reached from some through planes that show it."""
    kept: set[int] = set()
    for start in begun:
        for step in (1, -1):
            plane = start
            while 0 <= plane < len(is_there) and is_there[plane]:
                kept.add(plane)
                plane += step
    return kept


def prompts_on(
    plane: int, stacks: Sequence[AnchorStack], parents: Mapping[int, int]
) -> PlanePrompts | None:
    """Return the prompts of a plane; None where no stack shows anything.

    An object that one stack shows on the plane and another one does not, though it is
    in that, is said to be absent there.
    """
    shown = frozenset().union(*(stack.on_plane[plane] for stack in stacks))
    if not shown:
        return None
    anchors = []
    for stack in stacks:
        here = stack.on_plane[plane]
        absent = (stack.object_ids & shown) - here
        if here or absent:
            ids = tuple(sorted(here)), tuple(sorted(absent))
            anchors.append(
                AnchorLabels(
                    frame=stack.frame,
                    path=stack.path,
                    object_ids=ids[0],
                    absent_ids=ids[1],
                )
            )
    return PlanePrompts(anchors=tuple(anchors), parents=dict(parents))


def thin_objects(stacks: Sequence[AnchorStack]) -> set[int]:
    """Return the objects that are on one plane only, in all stacks together."""
    planes: dict[int, set[int]] = {}
    for stack in stacks:
        for plane, ids in enumerate(stack.on_plane):
            for one in ids:
                planes.setdefault(one, set()).add(plane)
    return {one for one, found in planes.items() if len(found) == 1}

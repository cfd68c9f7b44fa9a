"""Object-frames as nodes, linked in time while frames are read one by one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from napari_sam2.io.exports.masklets import MaskletMovie
from napari_sam2.io.exports.regions import FrameRegions, places

FRAME_UNIT, PIXEL_UNIT = "frame", "pixel"
"""Units of a graph where the calibration has none."""


class Link(NamedTuple):
    """An object and itself where it is next seen, or a mother's end and a daughter.

    Attributes
    ----------
    source, target
        Nodes, the earlier one first.
    lineage
        Id of the founder of the family.
    """

    source: int
    target: int
    frames: tuple[int, int]
    lineage: int


@dataclass(frozen=True, slots=True, eq=False)
class LinkedFrame:
    """The objects of a frame, as nodes.

    Attributes
    ----------
    nodes
        ``(objects,)`` int64, numbered from 0 by frame and object.
    lineages
        ``(objects,)`` int64: the founder's id, the same for all that descend from it.
    links
        Those that end on this frame, but for births.
    """

    regions: FrameRegions
    nodes: np.ndarray
    lineages: np.ndarray
    links: list[Link]


class Linking:
    """A walk through masklets; held are the first and the last node of each object."""

    def __init__(self, masklets: MaskletMovie) -> None:
        self.node_count = 0
        self._masklets = masklets
        self._mothers = masklets.mothers
        self._first: dict[int, tuple[int, int]] = {}
        self._last: dict[int, tuple[int, int]] = {}

    def frames(self) -> Iterator[LinkedFrame]:
        """Yield each frame's nodes, and the links to earlier ones."""
        for found in places(self._masklets):
            ids = found.object_ids.tolist()
            nodes = np.arange(self.node_count, self.node_count + len(ids))
            links = []
            for object_id, node in zip(ids, nodes.tolist(), strict=True):
                here = (node, found.frame_index)
                if object_id in self._last:
                    links.append(self._link(self._last[object_id], here, object_id))
                self._first.setdefault(object_id, here)
                self._last[object_id] = here
            self.node_count += len(ids)
            lineages = np.array(
                [_founder(object_id, self._mothers) for object_id in ids], np.int64
            )
            yield LinkedFrame(found, nodes, lineages, links)

    def births(self) -> Iterator[Link]:
        """Yield the links of mothers and daughters, when all frames were read.

        There is none to a daughter who begins before her mother is last seen.
        """
        for daughter, mother in self._mothers.items():
            if daughter in self._first and mother in self._last:
                source, target = self._last[mother], self._first[daughter]
                if source[1] < target[1]:
                    yield self._link(source, target, daughter)

    def _link(
        self, source: tuple[int, int], target: tuple[int, int], object_id: int
    ) -> Link:
        frames = (source[1], target[1])
        founder = _founder(object_id, self._mothers)
        return Link(source[0], target[0], frames, founder)


def _founder(object_id: int, mothers: Mapping[int, int]) -> int:
    while object_id in mothers:
        object_id = mothers[object_id]
    return object_id

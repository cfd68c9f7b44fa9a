"""Gaps of an object's life: what is tracked by itself, and what bounds it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from napari_sam2.session.planning.frame_set import FrameSet
from napari_sam2.session.planning.plan import ObjectLife


@dataclass(frozen=True, slots=True)
class Gap:
    """Frames between two neighbouring anchors of an object, or beyond its outer ones.

    Attributes
    ----------
    left, right
        The anchors that bound it; None before the first anchor or after the last.
    first, last
        Its own first and last frame; the anchors do not belong to it.
    """

    left: int | None
    right: int | None
    first: int
    last: int

    @property
    def frames(self) -> FrameSet:
        """The frames of the gap."""
        return FrameSet.between(self.first, self.last)

    @property
    def runs_backward(self) -> bool:
        """Whether it is tracked backward: only the one before the first anchor is."""
        return self.left is None

    @property
    def bounds(self) -> tuple[int, ...]:
        """The anchors that bound it, ascending."""
        return tuple(anchor for anchor in (self.left, self.right) if anchor is not None)


def gaps(life: ObjectLife) -> tuple[Gap, ...]:
    """Return the gaps of an object that hold any frame, ascending."""
    anchors = life.anchors
    found = [
        Gap(None, anchors[0], life.first, anchors[0] - 1),
        *(Gap(left, right, left + 1, right - 1) for left, right in pairwise(anchors)),
        Gap(anchors[-1], None, anchors[-1] + 1, life.last),
    ]
    return tuple(gap for gap in found if gap.first <= gap.last)


def bounding_anchors(life: ObjectLife, frames: FrameSet) -> tuple[int, ...]:
    """Return the anchors needed to track some frames, ascending.

    Those that bound a gap of which any frame is wanted, and those among the frames.
    """
    needed = {anchor for anchor in life.anchors if anchor in frames}
    for gap in gaps(life):
        if frames & gap.frames:
            needed.update(gap.bounds)
    return tuple(sorted(needed))

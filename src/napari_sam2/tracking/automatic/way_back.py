"""Where a new object was before it was found."""

from __future__ import annotations

from dataclasses import dataclass, field

from napari_sam2.metrics.matching import Overlaps
from napari_sam2.tracking.automatic.masklet_options import MaskletOptions


@dataclass(slots=True)
class WayBack:
    """Where a new object was before, frame by frame towards the last look.

    Attributes
    ----------
    beginning
        First frame of which it is known that it was an object by itself.
    is_open
        Whether it was one as far as anybody looked.
    into
        The object that its way back runs into; None if it just is not there.
    overlaps
        IoU with that one on the frames before.
    """

    beginning: int
    is_open: bool = True
    into: int | None = None
    overlaps: list[float] = field(default_factory=list)

    def note(
        self, object_id: int, earlier: int, found: Overlaps, options: MaskletOptions
    ) -> bool:
        """Note one frame more; tell whether it is an object by itself there.

        Parameters
        ----------
        object_id
            Whose way this is.
        earlier
            The frame before those that are noted.
        found
            What it and the other new ones have there in common with who is known.
        options
            What is too small, and what lies in another one.
        """
        if not self.is_open:
            if self.into is not None:
                self.overlaps.append(found.region(object_id, self.into))
            return False
        area = found.truth_area.get(object_id, 0)
        common = {
            other: pixels
            for (own, other), pixels in found.common.items()
            if own == object_id
        }
        other = max(common, key=lambda one: common[one], default=None)
        if area < max(1, options.masks.minimum_area // 2):
            self.is_open = False
        elif other and common[other] >= options.inside_share * area:
            self.is_open, self.into = False, other
            self.overlaps.append(found.region(object_id, other))
        else:
            self.beginning = earlier
        return self.is_open

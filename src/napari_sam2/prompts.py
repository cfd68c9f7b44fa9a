"""What a person says about an object on one frame: clicks, a box, a mask.

Everything here is in image pixels and in ``(y, x)`` order, counted as numpy counts
(the centre of the first pixel is ``(0, 0)``). `napari_sam2.tracking.preprocess` is the
only place that turns these into the network's coordinates.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

Place = tuple[int, int]
"""``(object_id, frame_index)``: where a prompt belongs."""

MAX_OBJECT_ID = 65_535
"""Masklets are uint16."""


@dataclass(frozen=True, slots=True)
class PointPrompt:
    """A click, in image pixels.

    Attributes
    ----------
    y, x
        Row and column; may be fractional.
    positive
        True for "this belongs to the object", False for "this does not".
    """

    y: float
    x: float
    positive: bool = True


@dataclass(frozen=True, slots=True)
class BoxPrompt:
    """A box around the object, naming its first and last row and column.

    Attributes
    ----------
    y0, x0
        First row and first column that belong to the object.
    y1, x1
        Last row and last column that belong to the object (inclusive).
    """

    y0: float
    x0: float
    y1: float
    x1: float

    def __post_init__(self) -> None:
        if self.y1 < self.y0 or self.x1 < self.x0:
            corners = (self.y0, self.x0, self.y1, self.x1)
            raise ValueError(
                f"box {corners} ends before it begins: give [y0, x0, y1, x1] with "
                "y1 ≥ y0 and x1 ≥ x0"
            )


@dataclass(frozen=True, slots=True, eq=False)
class MaskPrompt:
    """The object's mask on one frame.

    Attributes
    ----------
    mask
        ``(Y, X)`` bool, True inside the object, at the movie's resolution.
    """

    mask: np.ndarray

    def __post_init__(self) -> None:
        if self.mask.ndim != 2 or self.mask.dtype != bool:
            raise ValueError(
                "a mask prompt is a (Y, X) bool array; got shape "
                f"{self.mask.shape} of {self.mask.dtype}"
            )


@dataclass(frozen=True, slots=True, eq=False)
class FramePrompt:
    """All that a person said about one object on one frame.

    A mask stands alone; a box and clicks may come together (the box counts as two
    points that precede the clicks, as in SAM 2).

    Attributes
    ----------
    object_id
        Label value of the object, 1 or more.
    frame_index
        Frame that the prompt belongs to.
    points, box, mask
        The prompt itself; at least one of the three.

    Raises
    ------
    ValueError
        If the prompt is empty, the id is below 1, or a mask comes with points or a box.
    """

    object_id: int
    frame_index: int
    points: tuple[PointPrompt, ...] = ()
    box: BoxPrompt | None = None
    mask: MaskPrompt | None = None

    def __post_init__(self) -> None:
        where = f"object {self.object_id}, frame {self.frame_index}"
        if self.object_id < 1:
            raise ValueError(f"{where}: object ids start at 1")
        if self.frame_index < 0:
            raise ValueError(f"{where}: frames are counted from 0")
        has_geometry = bool(self.points) or self.box is not None
        if not has_geometry and self.mask is None:
            raise ValueError(f"{where}: give points, a box or a mask")
        if has_geometry and self.mask is not None:
            raise ValueError(f"{where}: a mask cannot be combined with points or a box")

    @property
    def is_absence(self) -> bool:
        """Whether it says that the object is not there: an empty mask."""
        return self.mask is not None and not self.mask.mask.any()

    @property
    def only_refuses(self) -> bool:
        """Whether it only says where the object is not: nothing can begin with it."""
        return bool(self.points) and not (
            self.box is not None or any(point.positive for point in self.points)
        )


@dataclass(frozen=True, slots=True, eq=False)
class PromptedObject:
    """One object with its prompts on any number of frames.

    Attributes
    ----------
    object_id
        Label value, 1 or more.
    prompts
        At most one `FramePrompt` per frame, in frame order.
    name
        What people call it; may be empty.
    parent
        Id of the mother if the object was born in a division.
    """

    object_id: int
    prompts: tuple[FramePrompt, ...] = field(default=())
    name: str = ""
    parent: int | None = None

    def __post_init__(self) -> None:
        frames = [prompt.frame_index for prompt in self.prompts]
        if frames != sorted(set(frames)):
            raise ValueError(
                f"object {self.object_id}: prompts must be in frame order, one a frame"
            )
        if any(prompt.object_id != self.object_id for prompt in self.prompts):
            raise ValueError(f"object {self.object_id} holds prompts of another object")

    @property
    def shown(self) -> tuple[FramePrompt, ...]:
        """The prompts but those that say that the object is not there."""
        return tuple(prompt for prompt in self.prompts if not prompt.is_absence)
